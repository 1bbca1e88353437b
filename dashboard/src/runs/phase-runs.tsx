import { Text } from '@mantine/core';
import { useMemo } from 'react';
import type { Run } from '../api/schema.ts';
import { Panel } from '../shell/panel.tsx';
import { ProblemNote } from '../shell/problem.tsx';
import { Waiting } from '../shell/waiting.tsx';
import { useRunList } from './run-list.ts';
import { RunTable } from './run-table.tsx';

/** The newest runs of one phase. */
export function PhaseRuns({ kind, title }: { kind: Run['kind']; title: string }) {
  const { runs, pages } = useRunList(useMemo(() => ({ kind, status: null }), [kind]));
  return (
    <Panel title={title}>
      {pages.isError && <ProblemNote error={pages.error} onRetry={() => pages.refetch()} />}
      {!runs ? (
        !pages.isError && <Waiting for="the runs" />
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
