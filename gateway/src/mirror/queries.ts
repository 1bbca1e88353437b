/** What is read from the mirror. Rows are the contract's own JSON, so that nothing is translated on the way out. */
import type {
  Candidate,
  Event,
  Generation,
  LogLine,
  Model,
  ModelDetail,
  ModelKind,
  ModelPage,
  Pipeline,
  Run,
  RunKind,
  RunPage,
  RunStatus,
  TrainingEvaluation,
  Verification,
} from '../../../openapi/backend.js';
import type { CandidatePage } from '../../../openapi/gateway.js';
import type { Prisma, PrismaClient } from '../generated/client.js';
import { decodeKey, encodeKey, InvalidCursorError, keyDate, keyInteger, pageOf } from './keyset.js';
import { type ModelFilter, selectModels } from './models.js';
import { type RunsSummary, summarize } from './summary.js';
import { runOf, type Topic, topicTypes } from './topic.js';

type Reader = PrismaClient | Prisma.TransactionClient;
type Paging = { cursor?: string | null | undefined; limit: number };
export type RunFilter = Paging & { kind?: RunKind | null | undefined; status?: RunStatus | null | undefined };
export type { ModelFilter, ModelKind };
export type CandidateFilter = Paging & { generation?: number | null | undefined };
export type EventRange = { topic: Topic; after: number; until?: number | undefined; limit: number };
export type Detail = Pick<ModelDetail, 'modules' | 'metadata'>;

/** A run with what has been heard of it since its last durable event. */
export type Freshen = (run: Run) => Run;

/** Every read takes the rows of one history; `reader` may be a transaction, for several reads of one moment. */
export function createQueries(reader: Reader, history: () => number, freshen: Freshen) {
  const queries = {
    /** Newest first. Throws InvalidCursorError. */
    async runs({ kind, status, cursor, limit }: RunFilter): Promise<RunPage> {
      const where: Prisma.RunWhereInput = {
        history: history(),
        ...(kind ? { kind } : {}),
        ...(status ? { status } : {}),
      };
      if (cursor) {
        const [key, id] = decodeKey('runs', cursor);
        const createdAt = keyDate(key);
        where.OR = [{ createdAt: { lt: createdAt } }, { createdAt, id: { lt: id } }];
      }
      const rows = await reader.run.findMany({
        where,
        orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
        take: limit + 1,
      });
      return pageOf(
        rows,
        limit,
        (row) => freshen(of<Run>(row)),
        (row) => encodeKey('runs', [row.createdAt.toISOString(), row.id]),
      );
    },

    async summary(): Promise<RunsSummary> {
      return summarize(reader, history(), freshen);
    },

    async run(id: string): Promise<Run | null> {
      const row = await reader.run.findUnique({ where: { history_id: { history: history(), id } } });
      return row && freshen(of<Run>(row));
    },

    async pipeline(id: string): Promise<Pipeline | null> {
      const rows = await reader.run.findMany({ where: { history: history(), pipelineId: id } });
      const runs = rows.map((row) => freshen(of<Run>(row)));
      const cognate = runs.find(({ kind }) => kind === 'cognate');
      if (!cognate) return null;
      const evomerge = runs.find(({ kind }) => kind === 'evomerge') ?? null;
      return { id, cognate, evomerge, created_at: cognate.created_at };
    },

    /** Throws InvalidCursorError. */
    async models(filter: ModelFilter): Promise<ModelPage> {
      return selectModels(reader, history(), filter);
    },

    /** `detail` is null where the backend could not be asked yet for the parameter table and metadata. */
    async model(id: string): Promise<{ model: Model; detail: Detail | null } | null> {
      const row = await reader.model.findFirst({ where: { history: history(), id, deletedAt: null } });
      return row && { model: of<Model>(row), detail: row.detail as unknown as Detail | null };
    },

    /** In order of generation and slot. Throws InvalidCursorError. */
    async candidates(runId: string, { generation, cursor, limit }: CandidateFilter): Promise<CandidatePage> {
      const where: Prisma.CandidateWhereInput = { history: history(), runId };
      const conditions: Prisma.CandidateWhereInput[] = [];
      if (generation !== null && generation !== undefined) conditions.push({ generation });
      if (cursor) {
        const [key, id] = decodeKey(`candidates ${runId}`, cursor);
        const [from, slot] = [Number(keyInteger(key)), Number(keyInteger(id))];
        if (from > 2 ** 31 || slot > 2 ** 31)
          throw new InvalidCursorError('the cursor lies beyond every candidate');
        conditions.push({ OR: [{ generation: { gt: from } }, { generation: from, slot: { gt: slot } }] });
      }
      const rows = await reader.candidate.findMany({
        where: { ...where, AND: conditions },
        orderBy: [{ generation: 'asc' }, { slot: 'asc' }],
        take: limit + 1,
      });
      return pageOf(
        rows,
        limit,
        (row) => of<Candidate>(row),
        (row) => encodeKey(`candidates ${runId}`, [String(row.generation), String(row.slot)]),
      );
    },

    /** Those of the last generations, in order of generation and slot. */
    async newestCandidates(runId: string, limit: number): Promise<Candidate[]> {
      const rows = await reader.candidate.findMany({
        where: { history: history(), runId },
        orderBy: [{ generation: 'desc' }, { slot: 'desc' }],
        take: limit,
      });
      return rows.reverse().map((row) => of<Candidate>(row));
    },

    async candidateCount(runId: string): Promise<number> {
      return reader.candidate.count({ where: { history: history(), runId } });
    },

    async candidate(id: string): Promise<Candidate | null> {
      const row = await reader.candidate.findUnique({ where: { history_id: { history: history(), id } } });
      return row && of<Candidate>(row);
    },

    async generations(runId: string): Promise<Generation[]> {
      const rows = await reader.generation.findMany({
        where: { history: history(), runId },
        orderBy: { index: 'asc' },
      });
      return rows.map((row) => of<Generation>(row));
    },

    /** In the order in which they were measured. */
    async evaluations(runId: string): Promise<TrainingEvaluation[]> {
      const rows = await reader.evaluation.findMany({
        where: { history: history(), runId },
        orderBy: { seq: 'asc' },
      });
      return rows.map((row) => of<TrainingEvaluation>(row));
    },

    /** The newest lines, oldest of them first. */
    async logs(runId: string, limit: number): Promise<LogLine[]> {
      const rows = await reader.log.findMany({
        where: { history: history(), runId },
        orderBy: { seq: 'desc' },
        take: limit,
      });
      return rows.reverse().map((row) => of<LogLine>(row));
    },

    /** Newest first. */
    async verifications(
      subject: Verification['subject'],
      id: string,
      limit: number,
    ): Promise<Verification[]> {
      const rows = await reader.verification.findMany({
        where: { history: history(), subject, subjectId: id },
        orderBy: { seq: 'desc' },
        take: limit,
      });
      return rows.map((row) => of<Verification>(row));
    },

    /** Events of a topic with `after` < seq ≤ `until`, in order. Fewer than `limit` means: no more in that range. */
    async events({ topic, after, until, limit }: EventRange): Promise<Event[]> {
      const rows = await reader.event.findMany({
        where: {
          history: history(),
          seq: { gt: after, ...(until === undefined ? {} : { lte: until }) },
          ...eventsOf(topic),
        },
        orderBy: { seq: 'asc' },
        take: limit,
      });
      return rows.map((row) => of<Event>(row));
    },
  };
  return queries;
}

export type Queries = ReturnType<typeof createQueries>;

/** The database's side of `topicsOf`. */
function eventsOf(topic: Topic): Prisma.EventWhereInput {
  const runId = runOf(topic);
  if (runId !== null) return { runId };
  return { type: topicTypes[topic === 'models' ? 'models' : 'runs'] };
}

function of<T>(row: { data: Prisma.JsonValue }): T {
  return row.data as unknown as T;
}
