/** One batch of events into the database: log, rows and cursor together, or nothing. */
import type { Event, Model } from '../../../openapi/backend.js';
import { Prisma, type PrismaClient } from '../generated/client.js';
import { foldAll, lookedUp } from './fold.js';
import { type Entry, type TableName, tableNames, tables } from './tables.js';
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
  const statements = tableNames
    .filter((name) => changes[name].size > 0)
    .map((name) => Prisma.sql`${Prisma.raw(`write_${name}`)} AS (${write(name, changes[name])})`);
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
  const models = new Map<string, Entry<'model'>>(
    rows.map((row) => [
      row.id,
      { row: row.data as unknown as Model, deletedAt: row.deletedAt?.toISOString() ?? null },
    ]),
  );
  return { model: (id: string) => models.get(id) };
}

/** One statement for all rows of a table, where the cursor has moved. */
function write<T extends TableName>(name: T, entries: ReadonlyMap<string, Entry<T>>): Prisma.Sql {
  const { key, columns } = tables[name];
  const names = Object.keys(columns);
  const rows = Array.from(entries.values(), (entry) => ({
    ...Object.fromEntries(Object.entries(columns).map(([column, [, of]]) => [column, cell(of(entry))])),
    // As text: json_to_recordset would decode the escapes of nested JSON, and refuse a \u0000 among them.
    data: JSON.stringify(entry.row),
  }));
  const types = Object.entries(columns).map(([column, [type]]) => `${column} ${type}`);
  const replaced = [...names.filter((column) => !key.includes(column)), 'data'];
  const conflict = key.includes('seq')
    ? ''
    : `ON CONFLICT (history, ${key.join(', ')})
       DO UPDATE SET ${replaced.map((column) => `${column} = excluded.${column}`).join(', ')}`;
  return Prisma.sql`
    INSERT INTO ${Prisma.raw(`${name} (history, ${names.join(', ')}, data)`)}
    SELECT ${Prisma.raw(`history, ${names.join(', ')}, data::json`)}
      FROM moved, json_to_recordset(${JSON.stringify(rows)}::json)
           AS r(${Prisma.raw(`${types.join(', ')}, data text`)})
    ${Prisma.raw(conflict)}`;
}

const cell = (value: string | number | boolean | null) => (typeof value === 'string' ? text(value) : value);
