import { Anchor, Text } from '@mantine/core';
import { Link } from 'wouter';
import type { Run } from '../api/schema.ts';
import { RunTable } from '../runs/run-table.tsx';
import { Panel } from '../shell/panel.tsx';
import { Waiting } from '../shell/waiting.tsx';

const SHOWN = 6;

export function RecentRuns({ runs }: { runs: readonly Run[] | undefined }) {
  return (
    <Panel
      title="Recent runs"
      actions={
        <Anchor component={Link} href="/runs" size="sm">
          All runs
        </Anchor>
      }
    >
      {!runs ? (
        <Waiting for="the runs" />
      ) : runs.length === 0 ? (
        <Text c="dimmed" size="sm">
          No run yet. Press Forge to start the first.
        </Text>
      ) : (
        <RunTable runs={runs.slice(0, SHOWN)} />
      )}
    </Panel>
  );
}
