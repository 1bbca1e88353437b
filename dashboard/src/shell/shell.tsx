import {
  ActionIcon,
  AppShell,
  Burger,
  Group,
  NavLink,
  useComputedColorScheme,
  useMantineColorScheme,
} from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconMoon, IconSun } from '@tabler/icons-react';
import { type ReactNode, useEffect } from 'react';
import { Link, useLocation } from 'wouter';
import { useModels, useSummary } from '../live/hooks.ts';
import { PAGES } from '../pages.tsx';
import { runCount } from '../runs/counts.ts';
import { isActive } from '../runs/status.ts';
import { ConnectionBanner, ConnectionMark } from './connection.tsx';
import classes from './shell.module.css';

export function Shell({ children }: { children: ReactNode }) {
  const [opened, { toggle, close }] = useDisclosure(false);
  const [path] = useLocation();
  const summary = useSummary();
  const active = summary && runCount(summary, isActive);
  // held for the whole visit: pages come and go, the list of models stays current
  useModels();
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new path closes the menu
  useEffect(close, [path]);
  return (
    <AppShell
      header={{ height: 52 }}
      navbar={{ width: 196, breakpoint: 'sm', collapsed: { mobile: !opened } }}
      padding="md"
      transitionDuration={0}
    >
      <a href="#main" className="skip-link">
        Skip to the content
      </a>
      <AppShell.Header className={classes.header}>
        <Group gap="xs" wrap="nowrap">
          <Burger
            opened={opened}
            onClick={toggle}
            hiddenFrom="sm"
            size="sm"
            aria-label="Menu"
            aria-expanded={opened}
          />
          <Link href="/" className={classes.brand}>
            <img src="/mark.svg" alt="" width={26} height={26} />
            <span>Agent Forge</span>
          </Link>
        </Group>
        <Group gap={6} wrap="nowrap">
          <ConnectionMark />
          <SchemeToggle />
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" className={classes.navbar} aria-label="Pages">
        {PAGES.map(({ path: href, label, icon: Icon }) => {
          const here = href === '/' ? path === '/' : path === href || path.startsWith(`${href}/`);
          return (
            <NavLink
              key={href}
              component={Link}
              href={href}
              label={label}
              active={here}
              aria-current={here ? 'page' : undefined}
              leftSection={<Icon size={18} stroke={1.7} />}
              rightSection={
                href === '/runs' && active ? <span className={classes.count}>{active} active</span> : null
              }
              className={classes.link}
            />
          );
        })}
      </AppShell.Navbar>
      <AppShell.Main id="main" className={classes.main} tabIndex={-1}>
        <ConnectionBanner />
        {children}
      </AppShell.Main>
    </AppShell>
  );
}

function SchemeToggle() {
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme('light');
  const next = scheme === 'dark' ? 'light' : 'dark';
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      className={classes.scheme}
      onClick={() => setColorScheme(next)}
      aria-label={`Use the ${next} colours`}
      title={`Use the ${next} colours`}
    >
      {scheme === 'dark' ? <IconSun size={18} /> : <IconMoon size={18} />}
    </ActionIcon>
  );
}
