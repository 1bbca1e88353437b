/** One batch of events into the database: log, rows and cursor together, or nothing. */
import type { Event, Model } from '../../../openapi/backend.js';
import type { Prisma, PrismaClient } from '../generated/client.js';
import { type Changes, foldAll, lookedUp, type MirroredModel } from './fold.js';
import { text } from './text.js';

type Transaction = Prisma.TransactionClient;

/** The batch does not continue the mirror: another process has moved it, or events are missing. */
export class CursorError extends Error {
  override readonly name = 'CursorError';
}

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
  return prisma.$transaction(async (tx) => {
    const [row] = await tx.$queryRaw<
      { seq: bigint }[]
    >`SELECT seq FROM history WHERE id = ${history} FOR UPDATE`;
    if (!row) throw new CursorError(`history ${history} has been removed`);
    const fresh = events.filter((event) => event.seq > Number(row.seq));
    const last = fresh.at(-1);
    if (!last) return [];
    fresh.forEach((event, index) => {
      const expected = Number(row.seq) + 1 + index;
      if (event.seq !== expected) throw new CursorError(`event ${expected} is missing before ${event.seq}`);
    });
    await insertEvents(tx, history, fresh);
    await write(tx, history, foldAll(await stored(tx, history, fresh), fresh));
    await tx.history.update({
      where: { id: history },
      data: { seq: last.seq, lastEventAt: last.time, updatedAt: now },
    });
    return fresh;
  });
}

async function stored(tx: Transaction, history: number, events: readonly Event[]) {
  const ids = lookedUp(events);
  const rows = ids.length === 0 ? [] : await tx.model.findMany({ where: { history, id: { in: ids } } });
  const models = new Map<string, MirroredModel>(
    rows.map((row) => [
      row.id,
      { row: row.data as unknown as Model, deletedAt: row.deletedAt?.toISOString() ?? null },
    ]),
  );
  return { model: (id: string) => models.get(id) };
}

async function insertEvents(tx: Transaction, history: number, events: readonly Event[]): Promise<void> {
  // `data` travels as text: json_to_recordset would decode its escapes, and refuse a \u0000 among them.
  const rows = events.map((event) => ({
    seq: event.seq,
    run_id: event.run_id,
    type: event.type,
    data: JSON.stringify(event),
  }));
  await tx.$executeRaw`
    INSERT INTO event (history, seq, run_id, type, data)
    SELECT ${history}::int, seq, run_id, type, data::json
      FROM json_to_recordset(${JSON.stringify(rows)}::json) AS r(seq bigint, run_id text, type text, data text)`;
}

async function write(tx: Transaction, history: number, changes: Changes): Promise<void> {
  if (changes.runs.size > 0) {
    const rows = [...changes.runs.values()].map((row) => ({
      id: row.id,
      kind: row.kind,
      status: row.status,
      pipeline_id: row.pipeline_id,
      created_at: row.created_at,
      data: JSON.stringify(row),
    }));
    await tx.$executeRaw`
      INSERT INTO run (history, id, kind, status, pipeline_id, created_at, data)
      SELECT ${history}::int, id, kind, status, pipeline_id, created_at, data::json
        FROM json_to_recordset(${JSON.stringify(rows)}::json)
          AS r(id text, kind text, status text, pipeline_id text, created_at timestamptz, data text)
      ON CONFLICT (history, id) DO UPDATE
        SET kind = excluded.kind, status = excluded.status, pipeline_id = excluded.pipeline_id,
            created_at = excluded.created_at, data = excluded.data`;
  }
  if (changes.models.size > 0) {
    const rows = [...changes.models.values()].map(({ row, deletedAt }) => ({
      id: row.id,
      kind: row.kind,
      run_id: row.run_id,
      name: text(row.name),
      bytes: row.bytes,
      created_at: row.created_at,
      deleted_at: deletedAt,
      data: JSON.stringify(row),
    }));
    await tx.$executeRaw`
      INSERT INTO model (history, id, kind, run_id, name, bytes, created_at, deleted_at, data)
      SELECT ${history}::int, id, kind, run_id, name, bytes, created_at, deleted_at, data::json
        FROM json_to_recordset(${JSON.stringify(rows)}::json)
          AS r(id text, kind text, run_id text, name text, bytes bigint, created_at timestamptz,
               deleted_at timestamptz, data text)
      ON CONFLICT (history, id) DO UPDATE
        SET kind = excluded.kind, run_id = excluded.run_id, name = excluded.name, bytes = excluded.bytes,
            created_at = excluded.created_at, deleted_at = excluded.deleted_at, data = excluded.data`;
  }
  if (changes.evaluations.size > 0) {
    const rows = [...changes.evaluations.values()].map(({ seq, row }) => ({
      seq,
      run_id: row.run_id,
      stage: text(row.stage),
      step: row.step,
      data: JSON.stringify(row),
    }));
    await tx.$executeRaw`
      INSERT INTO evaluation (history, run_id, stage, step, seq, data)
      SELECT ${history}::int, run_id, stage, step, seq, data::json
        FROM json_to_recordset(${JSON.stringify(rows)}::json)
          AS r(run_id text, stage text, step bigint, seq bigint, data text)
      ON CONFLICT (history, run_id, stage, step) DO UPDATE SET seq = excluded.seq, data = excluded.data`;
  }
  if (changes.candidates.size > 0) {
    const rows = [...changes.candidates.values()].map((row) => ({
      id: row.id,
      run_id: row.run_id,
      generation: row.generation,
      slot: row.slot,
      data: JSON.stringify(row),
    }));
    await tx.$executeRaw`
      INSERT INTO candidate (history, id, run_id, generation, slot, data)
      SELECT ${history}::int, id, run_id, generation, slot, data::json
        FROM json_to_recordset(${JSON.stringify(rows)}::json)
          AS r(id text, run_id text, generation int, slot int, data text)
      ON CONFLICT (history, id) DO UPDATE
        SET run_id = excluded.run_id, generation = excluded.generation, slot = excluded.slot, data = excluded.data`;
  }
  if (changes.generations.size > 0) {
    const rows = [...changes.generations.values()].map((row) => ({
      run_id: row.run_id,
      index: row.index,
      data: JSON.stringify(row),
    }));
    await tx.$executeRaw`
      INSERT INTO generation (history, run_id, index, data)
      SELECT ${history}::int, run_id, index, data::json
        FROM json_to_recordset(${JSON.stringify(rows)}::json) AS r(run_id text, index int, data text)
      ON CONFLICT (history, run_id, index) DO UPDATE SET data = excluded.data`;
  }
  if (changes.logs.size > 0) {
    const rows = [...changes.logs].map(([seq, row]) => ({
      seq,
      run_id: row.run_id,
      level: row.level,
      data: JSON.stringify(row),
    }));
    await tx.$executeRaw`
      INSERT INTO log (history, seq, run_id, level, data)
      SELECT ${history}::int, seq, run_id, level, data::json
        FROM json_to_recordset(${JSON.stringify(rows)}::json) AS r(seq bigint, run_id text, level text, data text)`;
  }
  if (changes.verifications.size > 0) {
    const rows = [...changes.verifications].map(([seq, row]) => ({
      seq,
      subject: row.subject,
      subject_id: row.subject_id,
      ok: row.ok,
      data: JSON.stringify(row),
    }));
    await tx.$executeRaw`
      INSERT INTO verification (history, seq, subject, subject_id, ok, data)
      SELECT ${history}::int, seq, subject, subject_id, ok, data::json
        FROM json_to_recordset(${JSON.stringify(rows)}::json)
          AS r(seq bigint, subject text, subject_id text, ok boolean, data text)`;
  }
}
