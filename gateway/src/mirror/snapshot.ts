/** The state of a topic together with the cursor that it is true at, read at one moment. */
import type { components } from '../../../openapi/gateway.js';
import type { PrismaClient } from '../generated/client.js';
import { createQueries, type Freshen, type Queries } from './queries.js';
import { runOf, type Topic } from './topic.js';

export type Snapshot = components['schemas']['Snapshot'];
export type SnapshotAt = { epoch: string; seq: number; snapshot: Snapshot | null };

const RUNS = 100;
const MODELS = 200;
const LOGS = 200;
/** All candidates of a run of the default size; 8 generations of the largest. */
const CANDIDATES = 512;

/** Null where there is no published history yet; `snapshot` is null where the run does not exist. */
export async function snapshotOf(
  prisma: PrismaClient,
  topic: Topic,
  freshen: Freshen,
): Promise<SnapshotAt | null> {
  return prisma.$transaction(
    async (tx) => {
      const history = await tx.history.findFirst({ where: { published: true }, orderBy: { id: 'desc' } });
      if (!history) return null;
      const queries = createQueries(tx, () => history.id, freshen);
      return { epoch: history.epoch, seq: Number(history.seq), snapshot: await read(queries, topic) };
    },
    { isolationLevel: 'RepeatableRead' },
  );
}

async function read(queries: Queries, topic: Topic): Promise<Snapshot | null> {
  const runId = runOf(topic);
  if (runId === null) {
    return topic === 'runs'
      ? { kind: 'runs', items: (await queries.runs({ limit: RUNS })).items }
      : { kind: 'models', items: (await queries.models({ limit: MODELS })).items };
  }
  const run = await queries.run(runId);
  if (!run) return null;
  return {
    kind: 'run',
    run,
    evaluations: await queries.evaluations(runId),
    generations: await queries.generations(runId),
    candidates: await queries.newestCandidates(runId, CANDIDATES),
    candidate_count: await queries.candidateCount(runId),
    logs: await queries.logs(runId, LOGS),
  };
}
