/** Compares the mirror's runs and models with the backend's own pages, by content hash of what is settled. */
import { createHash } from 'node:crypto';
import type { BackendApi } from '../backend/api.js';
import type { Clock } from '../backend/clock.js';
import type { Queries } from './queries.js';
import { type Entry, settled } from './tables.js';

const PAGE = 500;
/** Times to look again at rows that differ: they may have changed between the two readings. */
const LOOKS = 5;

export type Difference = {
  table: Compared;
  id: string;
  mirror: string | null;
  backend: string | null;
};

export type Reconciliation = {
  backend: BackendApi;
  queries: Queries;
  /** The mirror's position. */
  cursor(): { epoch: string; seq: number } | null;
  clock: Clock;
  signal: AbortSignal;
};

/** Rows whose content differs although the mirror has every event; empty where all agree. */
export async function reconcile(settings: Reconciliation): Promise<Difference[]> {
  let differences: Difference[] = [];
  for (let look = 0; look < LOOKS; look++) {
    const before = await position(settings);
    const theirs = await backendHashes(settings);
    const after = await position(settings);
    const mine = await mirrorHashes(settings.queries);
    differences = compare(mine, theirs);
    if (differences.length === 0) return [];
    // Where nothing has happened between the readings, they describe the same moment.
    if (before === after && settings.cursor()?.seq === after) return differences;
    await settings.clock.sleep(200 * 2 ** look, settings.signal);
    if (settings.signal.aborted) return [];
  }
  throw new Error(`the backend is too busy to compare with; ${differences.length} rows were in motion`);
}

async function position({ backend, signal, cursor }: Reconciliation): Promise<number> {
  const epoch = cursor()?.epoch ?? null;
  return (await backend.get('/v1/events', { query: { epoch, after: 0, limit: 1 }, signal })).last_seq;
}

type Compared = keyof typeof settled;
type Row<T extends Compared> = Entry<T>['row'];
type Page<T extends Compared> = { items: Row<T>[]; next_cursor: string | null };
type Reads = { [T in Compared]: (query: { cursor: string | null; limit: number }) => Promise<Page<T>> };
type Hashes = Record<Compared, Map<string, string>>;

async function backendHashes({ backend, signal }: Reconciliation): Promise<Hashes> {
  return hashes({
    run: (query) => backend.get('/v1/runs', { query, signal }),
    model: (query) => backend.get('/v1/models', { query, signal }),
  });
}

async function mirrorHashes({ runs, models }: Queries): Promise<Hashes> {
  return hashes({ run: runs, model: models });
}

async function hashes(reads: Reads): Promise<Hashes> {
  return { run: await hashesOf('run', reads.run), model: await hashesOf('model', reads.model) };
}

async function hashesOf<T extends Compared>(table: T, read: Reads[T]): Promise<Map<string, string>> {
  const fields: readonly string[] = settled[table];
  const found = new Map<string, string>();
  let cursor: string | null = null;
  do {
    const page: Page<T> = await read({ cursor, limit: PAGE });
    for (const row of page.items) {
      const part = Object.entries(row).filter(([field]) => fields.includes(field));
      found.set(row.id, hashOf(Object.fromEntries(part)));
    }
    cursor = page.next_cursor;
  } while (cursor !== null);
  return found;
}

/** Of the JSON with keys sorted at every depth. */
export function hashOf(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(value)))
    .digest('hex');
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}

function compare(mine: Hashes, theirs: Hashes): Difference[] {
  return (Object.keys(settled) as Compared[]).flatMap((table) => {
    const ids = new Set([...mine[table].keys(), ...theirs[table].keys()]);
    return [...ids].flatMap((id) => {
      const [mirror, backend] = [mine[table].get(id) ?? null, theirs[table].get(id) ?? null];
      return mirror === backend ? [] : [{ table, id, mirror, backend }];
    });
  });
}
