/** Compares the mirror's runs and models with the backend's own pages, by content hash of what is settled. */
import { createHash } from 'node:crypto';
import type { Model, Run } from '../../../openapi/backend.js';
import type { BackendApi } from '../backend/api.js';
import type { Clock } from '../backend/clock.js';
import type { Queries } from './queries.js';

const PAGE = 500;
/** Times to look again at rows that differ: they may have changed between the two readings. */
const LOOKS = 5;

export type Difference = {
  table: 'run' | 'model';
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

/** What changes only together with an event. Progress and the like move between events, so they may differ. */
const settled = {
  run: ({ id, kind, name, status, attempt, pipeline_id, created_at, started_at, finished_at }: Run) => ({
    id,
    kind,
    name,
    status,
    attempt,
    pipeline_id,
    created_at,
    started_at,
    finished_at,
  }),
  model: ({ id, name, kind, digest, bytes, parameters, parents, created_at, verified }: Model) => ({
    id,
    name,
    kind,
    digest,
    bytes,
    parameters,
    parents,
    created_at,
    verified,
  }),
};

type Hashes = { run: Map<string, string>; model: Map<string, string> };

async function backendHashes({ backend, signal }: Reconciliation): Promise<Hashes> {
  return {
    run: await hashes(settled.run, (cursor) =>
      backend.get('/v1/runs', { query: { cursor, limit: PAGE }, signal }),
    ),
    model: await hashes(settled.model, (cursor) =>
      backend.get('/v1/models', { query: { cursor, limit: PAGE }, signal }),
    ),
  };
}

async function mirrorHashes(queries: Queries): Promise<Hashes> {
  return {
    run: await hashes(settled.run, (cursor) => queries.runs({ cursor, limit: PAGE })),
    model: await hashes(settled.model, (cursor) => queries.models({ cursor, limit: PAGE })),
  };
}

async function hashes<Row extends { id: string }>(
  part: (row: Row) => object,
  read: (cursor: string | null) => Promise<{ items: Row[]; next_cursor: string | null }>,
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  let cursor: string | null = null;
  do {
    const page: { items: Row[]; next_cursor: string | null } = await read(cursor);
    for (const row of page.items) found.set(row.id, hashOf(part(row)));
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
  return (['run', 'model'] as const).flatMap((table) => {
    const ids = new Set([...mine[table].keys(), ...theirs[table].keys()]);
    return [...ids].flatMap((id) => {
      const [mirror, backend] = [mine[table].get(id) ?? null, theirs[table].get(id) ?? null];
      return mirror === backend ? [] : [{ table, id, mirror, backend }];
    });
  });
}
