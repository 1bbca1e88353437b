/** One batch of events into the database: log, rows and cursor together, or nothing. */
import type { Event, Model } from '../../../openapi/backend.js';
import { Prisma, type PrismaClient } from '../generated/client.js';
import { type Changes, foldAll, lookedUp, type MirroredModel } from './fold.js';
import { text } from './text.js';

/** The batch does not continue the mirror: another process has moved it, or events are missing. */
export class CursorError extends Error {
  override readonly name = 'CursorError';
}

/** Times to begin again where the cursor has moved; with one consumer that is once, for a batch sent twice. */
const ATTEMPTS = 3;

/**
 * Applies events that follow the history's cursor; those that lie behind it are dropped, so that a repeat is
 * harmless. Resolves, after the commit, with the events that were new.
 * Throws CursorError where a number is missing.
 */
export async function commit(
  prisma: PrismaClient,
  history: number,
  events: readonly Event[],
  now: Date,
): Promise<readonly Event[]> {
  let fresh = events;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const [first] = fresh;
    if (!first) return [];
    fresh.forEach((event, index) => {
      const expected = first.seq + index;
      if (event.seq !== expected) throw new CursorError(`event ${expected} is missing before ${event.seq}`);
    });
    if (await advance(prisma, history, fresh, now)) return fresh;
    const row = await prisma.history.findUnique({ where: { id: history } });
    if (!row) throw new CursorError(`history ${history} has been removed`);
    const seq = Number(row.seq);
    fresh = events.filter((event) => event.seq > seq);
    if (fresh[0] && fresh[0].seq > seq + 1) {
      throw new CursorError(`event ${seq + 1} is missing before ${fresh[0].seq}`);
    }
  }
  throw new CursorError(`history ${history} is being moved by another process`);
}

/**
 * Everything in one statement, which is one transaction and one round trip: the cursor moves only from the event
 * before the first, and what is written hangs on its having moved. False where it has not.
 */
async function advance(
  prisma: PrismaClient,
  history: number,
  events: readonly Event[],
  now: Date,
): Promise<boolean> {
  const [first, last] = [events[0], events.at(-1)];
  if (!first || !last) return false;
  const changes = foldAll(await stored(prisma, history, events), events);
  const statements = [insertEvents(events), ...writes(changes)].map(
    (statement, index) => Prisma.sql`${Prisma.raw(`write_${index}`)} AS (${statement})`,
  );
  const moved = await prisma.$queryRaw<unknown[]>`
    WITH moved AS (
      UPDATE history SET seq = ${last.seq}, last_event_at = ${new Date(last.time)}, updated_at = ${now}
       WHERE id = ${history} AND seq = ${first.seq - 1} RETURNING id AS history
    ), ${Prisma.join(statements, ', ')}
    SELECT history FROM moved`;
  return moved.length > 0;
}

/** The rows that the events refer to, as they are before the batch. */
async function stored(prisma: PrismaClient, history: number, events: readonly Event[]) {
  const ids = lookedUp(events);
  const rows = ids.length === 0 ? [] : await prisma.model.findMany({ where: { history, id: { in: ids } } });
  const models = new Map<string, MirroredModel>(
    rows.map((row) => [
      row.id,
      { row: row.data as unknown as Model, deletedAt: row.deletedAt?.toISOString() ?? null },
    ]),
  );
  return { model: (id: string) => models.get(id) };
}

/** `FROM moved, rows`: the rows, where the cursor has moved. */
function rowsOf(rows: readonly object[], columns: string): Prisma.Sql {
  return Prisma.sql`FROM moved, json_to_recordset(${JSON.stringify(rows)}::json) AS r(${Prisma.raw(columns)})`;
}

/** As text: json_to_recordset would decode the escapes of nested JSON, and refuse a \u0000 among them. */
const data = (value: unknown): string => JSON.stringify(value);

function insertEvents(events: readonly Event[]): Prisma.Sql {
  const rows = events.map((event) => ({
    seq: event.seq,
    run_id: event.run_id,
    type: event.type,
    data: data(event),
  }));
  return Prisma.sql`
    INSERT INTO event (history, seq, run_id, type, data)
    SELECT history, seq, run_id, type, data::json
      ${rowsOf(rows, 'seq bigint, run_id text, type text, data text')}`;
}

/** One statement for each table that changes. */
function writes(changes: Changes): Prisma.Sql[] {
  const statements: Prisma.Sql[] = [];
  if (changes.runs.size > 0) statements.push(writeRuns(changes.runs));
  if (changes.models.size > 0) statements.push(writeModels(changes.models));
  if (changes.evaluations.size > 0) statements.push(writeEvaluations(changes.evaluations));
  if (changes.candidates.size > 0) statements.push(writeCandidates(changes.candidates));
  if (changes.generations.size > 0) statements.push(writeGenerations(changes.generations));
  if (changes.logs.size > 0) statements.push(writeLogs(changes.logs));
  if (changes.verifications.size > 0) statements.push(writeVerifications(changes.verifications));
  return statements;
}

function writeRuns(runs: Changes['runs']): Prisma.Sql {
  const rows = [...runs.values()].map((row) => ({
    id: row.id,
    kind: row.kind,
    status: row.status,
    pipeline_id: row.pipeline_id,
    created_at: row.created_at,
    champion: row.champion_fitness,
    heldout: row.champion_heldout?.total ?? null,
    data: data(row),
  }));
  const columns =
    'id text, kind text, status text, pipeline_id text, created_at timestamptz, champion float8, heldout float8, data text';
  return Prisma.sql`
    INSERT INTO run (history, id, kind, status, pipeline_id, created_at, champion, heldout, data)
    SELECT history, id, kind, status, pipeline_id, created_at, champion, heldout, data::json
      ${rowsOf(rows, columns)}
    ON CONFLICT (history, id) DO UPDATE
      SET kind = excluded.kind, status = excluded.status, pipeline_id = excluded.pipeline_id,
          created_at = excluded.created_at, champion = excluded.champion, heldout = excluded.heldout,
          data = excluded.data`;
}

function writeModels(models: Changes['models']): Prisma.Sql {
  const rows = [...models.values()].map(({ row, deletedAt }) => ({
    id: row.id,
    kind: row.kind,
    run_id: row.run_id,
    name: text(row.name),
    bytes: row.bytes,
    created_at: row.created_at,
    deleted_at: deletedAt,
    data: data(row),
  }));
  const columns =
    'id text, kind text, run_id text, name text, bytes bigint, created_at timestamptz, deleted_at timestamptz, data text';
  return Prisma.sql`
    INSERT INTO model (history, id, kind, run_id, name, bytes, created_at, deleted_at, data)
    SELECT history, id, kind, run_id, name, bytes, created_at, deleted_at, data::json ${rowsOf(rows, columns)}
    ON CONFLICT (history, id) DO UPDATE
      SET kind = excluded.kind, run_id = excluded.run_id, name = excluded.name, bytes = excluded.bytes,
          created_at = excluded.created_at, deleted_at = excluded.deleted_at, data = excluded.data`;
}

function writeEvaluations(evaluations: Changes['evaluations']): Prisma.Sql {
  const rows = [...evaluations.values()].map(({ seq, row }) => ({
    seq,
    run_id: row.run_id,
    stage: text(row.stage),
    step: row.step,
    data: data(row),
  }));
  return Prisma.sql`
    INSERT INTO evaluation (history, run_id, stage, step, seq, data)
    SELECT history, run_id, stage, step, seq, data::json
      ${rowsOf(rows, 'run_id text, stage text, step bigint, seq bigint, data text')}
    ON CONFLICT (history, run_id, stage, step) DO UPDATE SET seq = excluded.seq, data = excluded.data`;
}

function writeCandidates(candidates: Changes['candidates']): Prisma.Sql {
  const rows = [...candidates.values()].map((row) => ({
    id: row.id,
    run_id: row.run_id,
    generation: row.generation,
    slot: row.slot,
    data: data(row),
  }));
  return Prisma.sql`
    INSERT INTO candidate (history, id, run_id, generation, slot, data)
    SELECT history, id, run_id, generation, slot, data::json
      ${rowsOf(rows, 'id text, run_id text, generation int, slot int, data text')}
    ON CONFLICT (history, id) DO UPDATE
      SET run_id = excluded.run_id, generation = excluded.generation, slot = excluded.slot, data = excluded.data`;
}

function writeGenerations(generations: Changes['generations']): Prisma.Sql {
  const rows = [...generations.values()].map((row) => ({
    run_id: row.run_id,
    index: row.index,
    data: data(row),
  }));
  return Prisma.sql`
    INSERT INTO generation (history, run_id, index, data)
    SELECT history, run_id, index, data::json ${rowsOf(rows, 'run_id text, index int, data text')}
    ON CONFLICT (history, run_id, index) DO UPDATE SET data = excluded.data`;
}

function writeLogs(logs: Changes['logs']): Prisma.Sql {
  const rows = [...logs].map(([seq, row]) => ({
    seq,
    run_id: row.run_id,
    level: row.level,
    data: data(row),
  }));
  return Prisma.sql`
    INSERT INTO log (history, seq, run_id, level, data)
    SELECT history, seq, run_id, level, data::json
      ${rowsOf(rows, 'seq bigint, run_id text, level text, data text')}`;
}

function writeVerifications(verifications: Changes['verifications']): Prisma.Sql {
  const rows = [...verifications].map(([seq, row]) => ({
    seq,
    subject: row.subject,
    subject_id: row.subject_id,
    ok: row.ok,
    data: data(row),
  }));
  return Prisma.sql`
    INSERT INTO verification (history, seq, subject, subject_id, ok, data)
    SELECT history, seq, subject, subject_id, ok, data::json
      ${rowsOf(rows, 'seq bigint, subject text, subject_id text, ok boolean, data text')}`;
}
