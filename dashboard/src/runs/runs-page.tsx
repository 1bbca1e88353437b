import { Button, NativeSelect, Text } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useSearchParams } from 'wouter';
import { runPages } from '../api/queries.ts';
import type { Run } from '../api/schema.ts';
import { useRuns } from '../live/hooks.ts';
import { Page } from '../shell/page.tsx';
import { Panel } from '../shell/panel.tsx';
import { ProblemNote } from '../shell/problem.tsx';
import { Waiting } from '../shell/waiting.tsx';
import { RunTable } from './run-table.tsx';
import { STATUSES, stageName } from './status.ts';

export default function RunsPage() {
  const [query, setQuery] = useSearchParams();
  const status = STATUSES.find((name) => name === query.get('status')) ?? null;
  const live = useRuns();
  const pages = useInfiniteQuery(runPages(status));
  const runs = merged(
    live,
    pages.data?.pages.flatMap(({ items }) => items),
  )?.filter((run) => status === null || run.status === status);
  return (
    <Page title="Runs" lead="Everything that was started, newest first.">
      <Panel>
        <NativeSelect
          label="State"
          data={[
            { value: '', label: 'Any' },
            ...STATUSES.map((value) => ({ value, label: stageName(value) })),
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
          <Waiting for="the runs" />
        ) : runs.length === 0 ? (
          <Text size="sm" c="dimmed">
            {status ? `No run is ${status}.` : 'No run yet.'}
          </Text>
        ) : (
          <RunTable runs={runs} commands />
        )}
        {pages.hasNextPage && (
          <Button
            mt="sm"
            size="xs"
            variant="default"
            onClick={() => pages.fetchNextPage()}
            disabled={pages.isFetchingNextPage}
          >
            More
          </Button>
        )}
      </Panel>
    </Page>
  );
}

/** Pages as they were read, each run in the newest state that events told. */
function merged(
  live: readonly Run[] | undefined,
  paged: readonly Run[] | undefined,
): readonly Run[] | undefined {
  if (!live) return paged;
  const known = new Set(live.map(({ id }) => id));
  return [...live, ...(paged ?? []).filter(({ id }) => !known.has(id))];
}
