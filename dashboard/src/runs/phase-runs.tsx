import { Text } from '@mantine/core';
import type { Run } from '../api/schema.ts';
import { useRuns } from '../live/hooks.ts';
import { Panel } from '../shell/panel.tsx';
import { Waiting } from '../shell/waiting.tsx';
import { RunTable } from './run-table.tsx';

/** The newest runs of one phase. */
export function PhaseRuns({ kind, title }: { kind: Run['kind']; title: string }) {
  const runs = useRuns()?.filter((run) => run.kind === kind);
  return (
    <Panel title={title}>
      {!runs ? (
        <Waiting for="the runs" />
      ) : runs.length > 0 ? (
        <RunTable runs={runs.slice(0, 10)} />
      ) : (
        <Text size="sm" c="dimmed">
          None yet.
        </Text>
      )}
    </Panel>
  );
}
