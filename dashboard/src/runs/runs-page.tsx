import { Button, Group, NativeSelect, Text } from '@mantine/core';
import { useMemo } from 'react';
import { useSearchParams } from 'wouter';
import { RUN_STATUSES } from '../../../openapi/realtime.ts';
import { count } from '../format/number.ts';
import { useSummary } from '../live/hooks.ts';
import { Page } from '../shell/page.tsx';
import { Panel } from '../shell/panel.tsx';
import { ProblemNote } from '../shell/problem.tsx';
import { Waiting } from '../shell/waiting.tsx';
import { runCount } from './counts.ts';
import { useRunList } from './run-list.ts';
import { RunTable } from './run-table.tsx';
import { stageName } from './status.ts';

export default function RunsPage() {
  const [query, setQuery] = useSearchParams();
  const status = RUN_STATUSES.find((name) => name === query.get('status')) ?? null;
  const { runs, pages } = useRunList(useMemo(() => ({ kind: null, status }), [status]));
  const summary = useSummary();
  const total = summary && runCount(summary, (each) => status === null || each === status);
  return (
    <Page title="Runs" lead="Everything that was started, newest first.">
      <Panel>
        <NativeSelect
          label="State"
          data={[
            { value: '', label: 'Any' },
            ...RUN_STATUSES.map((value) => ({ value, label: stageName(value) })),
          ]}
          value={status ?? ''}
          onChange={({ currentTarget: { value } }) =>
            setQuery(value ? { status: value } : {}, { replace: true })
          }
          w={180}
          mb="sm"
        />
        {pages.isError && <ProblemNote error={pages.error} onRetry={() => pages.refetch()} />}
        {!runs ? (
          !pages.isError && <Waiting for="the runs" />
        ) : runs.length === 0 ? (
          <Text size="sm" c="dimmed">
            {status ? `No run is ${status}.` : 'No run yet.'}
          </Text>
        ) : (
          <RunTable runs={runs} commands />
        )}
        {pages.hasNextPage && runs && (
          <Group mt="sm" gap="sm">
            <Button
              size="xs"
              variant="default"
              onClick={() => pages.fetchNextPage()}
              disabled={pages.isFetchingNextPage}
            >
              More
            </Button>
            {total !== undefined && (
              <Text size="sm" c="dimmed" role="status">
                {count(runs.length)} of {count(total)} shown
              </Text>
            )}
          </Group>
        )}
      </Panel>
    </Page>
  );
}
