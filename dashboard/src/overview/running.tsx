import { Anchor, Group, Stack, Text } from '@mantine/core';
import { Link } from 'wouter';
import type { Run } from '../api/schema.ts';
import { count, figure } from '../format/number.ts';
import { useRuns } from '../live/hooks.ts';
import { RunCommands } from '../runs/commands.tsx';
import { RunProgress } from '../runs/progress.tsx';
import { liveHref } from '../runs/status.ts';
import { StatusMark } from '../shell/mark.tsx';
import { Panel } from '../shell/panel.tsx';
import classes from './running.module.css';

const DOING: Record<Run['kind'], string> = {
  cognate: 'training parents',
  evomerge: 'breeding',
  merge: 'merging',
};
/** More would push the rest of the page out of sight. */
const SHOWN = 3;

/** The runs at work, and the first of those that wait. `active` are the first of `total`. */
export function RunningNow({ active, total }: { active: readonly Run[]; total: number }) {
  const live = new Map(useRuns()?.map((run) => [run.id, run]));
  const runs = active.map((run) => newer(run, live.get(run.id))).slice(0, SHOWN);
  const others = total - runs.length;
  return (
    <Panel title="Now" note={total === 1 ? '1 run' : `${count(total)} runs`}>
      <Stack gap={0}>
        {runs.map((run) => (
          <article key={run.id} className={classes.run} aria-label={run.name} data-testid="running">
            <Group justify="space-between" gap="xs" mb={8}>
              <Group gap="xs">
                <Anchor component={Link} href={liveHref(run)} fw={600}>
                  {run.name}
                </Anchor>
                <StatusMark status={run.status} />
                <Text size="sm" c="dimmed">
                  {DOING[run.kind]}
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
        {others > 0 && (
          <Anchor component={Link} href="/runs" size="sm" className={classes.others}>
            and {count(others)} more
          </Anchor>
        )}
      </Stack>
    </Panel>
  );
}

function newer(run: Run, told: Run | undefined): Run {
  return told && told.updated_at >= run.updated_at ? told : run;
}
