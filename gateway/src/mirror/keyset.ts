/** Opaque cursors of keyset pages: the sort key and id of the last row that was shown. */
export type Key = readonly [key: string, id: string];

/** A cursor that this API did not give out, or gave out for another list or order. */
export class InvalidCursorError extends Error {
  override readonly name = 'InvalidCursorError';
}

export function encodeKey(list: string, [key, id]: Key): string {
  return Buffer.from(JSON.stringify([list, key, id])).toString('base64url');
}

/** Throws InvalidCursorError. `list` names what is paged and in which order. */
export function decodeKey(list: string, cursor: string): Key {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    throw new InvalidCursorError('the cursor is not one of this API');
  }
  if (!Array.isArray(parts) || parts.length !== 3 || !parts.every((part) => typeof part === 'string')) {
    throw new InvalidCursorError('the cursor is not one of this API');
  }
  const [name, key, id] = parts as [string, string, string];
  if (name !== list) throw new InvalidCursorError('the cursor belongs to another list or order');
  return [key, id];
}

export function keyDate(key: string): Date {
  const date = new Date(key);
  if (Number.isNaN(date.getTime())) throw new InvalidCursorError('the cursor holds no time');
  return date;
}

export function keyInteger(key: string): bigint {
  if (!/^\d{1,16}$/.test(key)) throw new InvalidCursorError('the cursor holds no number');
  return BigInt(key);
}

/** Cuts the row that was read beyond `limit` to learn whether there is another page. */
export function pageOf<Row, Item>(
  rows: readonly Row[],
  limit: number,
  itemOf: (row: Row) => Item,
  cursorOf: (row: Row) => string,
): { items: Item[]; next_cursor: string | null } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { items: shown.map(itemOf), next_cursor: rows.length > limit && last ? cursorOf(last) : null };
}
