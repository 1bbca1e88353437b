import { Anchor, Group, Stack, Text } from '@mantine/core';
import { Link } from 'wouter';
import type { Run } from '../api/schema.ts';
import { figure } from '../format/number.ts';
import { RunCommands } from '../runs/commands.tsx';
import { RunProgress } from '../runs/progress.tsx';
import { liveHref } from '../runs/status.ts';
import { StatusMark } from '../shell/mark.tsx';
import { Panel } from '../shell/panel.tsx';
import classes from './running.module.css';

export function RunningNow({ runs }: { runs: readonly Run[] }) {
  // oldest first: a pipeline's training above the breeding that waits for it
  const ordered = [...runs].sort(
    (a, b) => a.created_at.localeCompare(b.created_at) || (a.depends_on ? 1 : -1),
  );
  return (
    <Panel title="Now" note={runs.length === 1 ? '1 run' : `${runs.length} runs`}>
      <Stack gap={0}>
        {ordered.map((run) => (
          <article key={run.id} className={classes.run} aria-label={run.name} data-testid="running">
            <Group justify="space-between" gap="xs" mb={8}>
              <Group gap="xs">
                <Anchor component={Link} href={liveHref(run)} fw={600}>
                  {run.name}
                </Anchor>
                <StatusMark status={run.status} />
                <Text size="sm" c="dimmed">
                  {run.kind === 'cognate' ? 'trains the parents' : 'breeds the parents'}
                  {run.champion_fitness !== null && ` · champion ${figure(run.champion_fitness)}`}
                </Text>
              </Group>
              <RunCommands run={run} size="compact-xs" />
            </Group>
            {run.status === 'queued' && run.depends_on ? (
              <Text size="sm" c="dimmed">
                Starts when its parents are trained.
              </Text>
            ) : (
              <RunProgress run={run} />
            )}
          </article>
        ))}
      </Stack>
    </Panel>
  );
}
