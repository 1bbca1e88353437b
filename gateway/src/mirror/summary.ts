/** What can be said of all runs at once, however many there are. */
import type { Run, RunKind, RunStatus } from '../../../openapi/backend.js';
import type { components } from '../../../openapi/gateway.js';
import { ENDED_STATUSES } from '../../../openapi/realtime.js';
import type { Prisma, PrismaClient } from '../generated/client.js';
import type { Freshen } from './queries.js';

export type RunsSummary = components['schemas']['RunsSummary'];

/** How many of the runs that have not ended are listed. */
const ACTIVE = 8;
const WAITING = ['queued', 'paused'] satisfies RunStatus[];

export async function summarize(
  reader: PrismaClient | Prisma.TransactionClient,
  history: number,
  freshen: Freshen,
): Promise<RunsSummary> {
  const oldest = async (status: Prisma.StringFilter, take: number) => {
    const orderBy = [{ createdAt: 'asc' }, { kind: 'asc' }, { id: 'asc' }] as const;
    return reader.run.findMany({ where: { history, status }, orderBy: [...orderBy], take });
  };
  const counts = await reader.run.groupBy({ by: ['kind', 'status'], where: { history }, _count: true });
  const working = await oldest({ notIn: [...WAITING, ...ENDED_STATUSES] }, ACTIVE);
  const waiting = working.length < ACTIVE ? await oldest({ in: WAITING }, ACTIVE - working.length) : [];
  const best = await reader.run.findFirst({
    where: { history, champion: { not: null } },
    orderBy: [{ heldout: { sort: 'desc', nulls: 'last' } }, { champion: 'desc' }, { createdAt: 'desc' }],
  });
  const run = (row: { data: Prisma.JsonValue }) => freshen(row.data as unknown as Run);
  return {
    counts: counts.map(({ kind, status, _count }) => ({
      kind: kind as RunKind,
      status: status as RunStatus,
      count: _count,
    })),
    active: [...working, ...waiting].map(run),
    champion: best && run(best),
  };
}
