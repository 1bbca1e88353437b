import type { Run, RunStatus, RunsSummary } from '../api/schema.ts';

/** How many runs there are, of all kinds and states or of those that are asked for. */
export function runCount(
  { counts }: RunsSummary,
  of: (status: RunStatus, kind: Run['kind']) => boolean = () => true,
): number {
  return counts.reduce((sum, { kind, status, count }) => (of(status, kind) ? sum + count : sum), 0);
}
