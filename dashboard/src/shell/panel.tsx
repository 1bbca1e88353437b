import { Group, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import classes from './panel.module.css';

interface PanelProps {
  title?: string;
  /** A few words beside the title. */
  note?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  /** Level of the heading. */
  order?: 2 | 3;
}

/** A titled surface: the page's building block. */
export function Panel({ title, note, actions, children, order = 2 }: PanelProps) {
  const Element = title ? 'section' : 'div';
  return (
    <Element className={classes.panel} {...(title ? { 'aria-label': title } : {})}>
      {(title || actions) && (
        <Group justify="space-between" align="flex-start" gap="sm" wrap="nowrap" className={classes.head}>
          <Group gap="xs" align="baseline" style={{ minWidth: 0 }}>
            <Title order={order} className={classes.title}>
              {title}
            </Title>
            {note && <span className={`${classes.note} words`}>{note}</span>}
          </Group>
          {actions}
        </Group>
      )}
      {children}
    </Element>
  );
}
