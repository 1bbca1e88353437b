import { useInfiniteQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { type RunFilter, runPages } from '../api/queries.ts';
import type { Run } from '../api/schema.ts';
import { newestFirst } from '../live/fold.ts';
import { useRuns } from '../live/hooks.ts';

/** Runs of a kind and state, newest first: as many pages as were asked for, each run in its newest known state. */
export function useRunList(filter: RunFilter) {
  const live = useRuns();
  const pages = useInfiniteQuery(runPages(filter));
  const { data, hasNextPage } = pages;
  const runs = useMemo(
    () =>
      data &&
      listed(
        data.pages.flatMap(({ items }) => items),
        live ?? [],
        filter,
        !hasNextPage,
      ),
    [data, live, filter, hasNextPage],
  );
  return { runs, pages };
}

function listed(
  paged: readonly Run[],
  live: readonly Run[],
  { kind, status }: RunFilter,
  complete: boolean,
): Run[] {
  const known = new Map(paged.map((run) => [run.id, run]));
  const last = paged.at(-1);
  for (const run of live) {
    const before = known.get(run.id);
    // What lies beyond the last page comes with the next: a list with a hole would hide it.
    const within = complete || (last !== undefined && newestFirst(run, last) < 0);
    if (before ? run.updated_at >= before.updated_at : within) known.set(run.id, run);
  }
  return [...known.values()]
    .filter((run) => (kind === null || run.kind === kind) && (status === null || run.status === status))
    .sort(newestFirst);
}
