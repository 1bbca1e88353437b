/** The registry's page: filtered, searched, sorted either way. */
import type { Model, ModelKind, ModelPage } from '../../../openapi/backend.js';
import { Prisma, type PrismaClient } from '../generated/client.js';
import { decodeKey, encodeKey, keyDate, keyInteger, pageOf } from './keyset.js';
import { text } from './text.js';

export type ModelSort = 'created_at' | '-created_at' | 'name' | '-name' | 'bytes' | '-bytes';
export type ModelFilter = {
  kind?: ModelKind | null | undefined;
  run_id?: string | null | undefined;
  /** Part of the name or id, in either case. */
  search?: string | null | undefined;
  sort?: ModelSort | undefined;
  cursor?: string | null | undefined;
  limit: number;
};

type Row = { data: Model };

/** Names sort by code point, so that every server, whatever its locale, gives the backend's own order. */
const COLUMNS = {
  created_at: {
    sql: Prisma.sql`created_at`,
    parse: (key: string): unknown => keyDate(key),
    of: (model: Model) => model.created_at,
  },
  name: {
    sql: Prisma.sql`name COLLATE "C"`,
    parse: (key: string): unknown => text(key),
    of: (model: Model) => text(model.name),
  },
  bytes: {
    sql: Prisma.sql`bytes`,
    parse: (key: string): unknown => keyInteger(key),
    of: (model: Model) => String(model.bytes),
  },
};

export async function selectModels(
  reader: PrismaClient | Prisma.TransactionClient,
  history: number,
  { kind, run_id, search, sort = '-created_at', cursor, limit }: ModelFilter,
): Promise<ModelPage> {
  const descending = sort.startsWith('-');
  const column = COLUMNS[sort.replace('-', '') as keyof typeof COLUMNS];
  const conditions = [Prisma.sql`history = ${history}`, Prisma.sql`deleted_at IS NULL`];
  if (kind) conditions.push(Prisma.sql`kind = ${kind}`);
  if (run_id) conditions.push(Prisma.sql`run_id = ${run_id}`);
  if (search) {
    const part = Prisma.sql`lower(${text(search)}::text)`;
    conditions.push(Prisma.sql`(position(${part} in lower(name)) > 0 OR position(${part} in lower(id)) > 0)`);
  }
  if (cursor) {
    const [key, id] = decodeKey(`models ${sort}`, cursor);
    const beyond = descending ? Prisma.sql`<` : Prisma.sql`>`;
    conditions.push(Prisma.sql`(${column.sql}, id COLLATE "C") ${beyond} (${column.parse(key)}, ${id})`);
  }
  const order = descending ? Prisma.sql`DESC` : Prisma.sql`ASC`;
  const rows = await reader.$queryRaw<Row[]>`
    SELECT data FROM model WHERE ${Prisma.join(conditions, ' AND ')}
     ORDER BY ${column.sql} ${order}, id COLLATE "C" ${order} LIMIT ${limit + 1}`;
  return pageOf(
    rows,
    limit,
    ({ data }) => data,
    ({ data }) => encodeKey(`models ${sort}`, [column.of(data), data.id]),
  );
}
