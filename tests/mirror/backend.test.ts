/** The mirror behind a real backend process, also when the way between them is bad. */
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type BackendApi, createBackendApi } from '../../gateway/src/backend/api.js';
import { systemClock } from '../../gateway/src/backend/clock.js';
import type { Supervisor } from '../../gateway/src/backend/supervisor.js';
import { type Database, openDatabase } from '../../gateway/src/database/database.js';
import { createMirror, type Mirror } from '../../gateway/src/mirror/mirror.js';
import { reconcile } from '../../gateway/src/mirror/reconcile.js';
import type { Event } from '../../openapi/backend.js';
import { eventually, quiet, stateOf, superviseBackend, temporaryFolder } from '../backend/fixtures.js';
import { disturb, type Fault } from './disturbed.js';

/** A safetensors file with one tensor of four float32. */
function tensors(value: number): Uint8Array {
  const header = JSON.stringify({ weight: { dtype: 'F32', shape: [4], data_offsets: [0, 16] } });
  const padded = header.padEnd(Math.ceil(header.length / 8) * 8, ' ');
  const file = Buffer.alloc(8 + padded.length + 16);
  file.writeBigUInt64LE(BigInt(padded.length), 0);
  file.write(padded, 8);
  for (let index = 0; index < 4; index++) file.writeFloatLE(value + index, 8 + padded.length + 4 * index);
  return file;
}

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let supervisor: Supervisor;
let backend: BackendApi;
let database: Database;
let mirror: Mirror;
const told: Event[] = [];

const follow = (api: BackendApi, on: Database) =>
  createMirror({ database: on, backend: api, clock: systemClock, log: quiet, graceMs: 0 });
const put = (name: string, value: number) =>
  backend.post('/v1/models/import', {
    query: { name },
    body: tensors(value),
    headers: { 'Content-Type': 'application/octet-stream' },
  });
const caughtUp = async (of: Mirror) => {
  const last = (await backend.get('/v1/events', { query: { after: 0, limit: 1 } })).last_seq;
  await eventually(
    () => of.cursor()?.seq ?? 0,
    (seq) => seq >= last,
  );
  return last;
};
const differences = (of: Mirror) =>
  reconcile({
    backend,
    queries: of.queries,
    cursor: of.cursor,
    clock: systemClock,
    signal: new AbortController().signal,
  });

beforeAll(async () => {
  folder = await temporaryFolder();
  supervisor = superviseBackend(folder.path);
  backend = createBackendApi(supervisor.endpoint);
  supervisor.start();
  database = await openDatabase({ folder: null });
  mirror = follow(backend, database);
  mirror.onCommitted(({ events }) => told.push(...events));
  await mirror.start();
  await stateOf(supervisor, 'up');
  await eventually(() => mirror.status().connected, Boolean);
});
afterAll(async () => {
  await mirror?.stop();
  await database?.close();
  await supervisor?.stop();
  await folder?.remove();
});

describe('the mirror behind a real backend', () => {
  test('what the backend registers is told after it can be read', async () => {
    const heard = new Promise<Event>((resolve) => {
      const end = mirror.onCommitted(({ events, seq }) => {
        expect(mirror.cursor()?.seq).toBe(seq);
        const found = events.find(({ type }) => type === 'model.registered');
        if (found) {
          end();
          resolve(found);
        }
      });
    });
    const made = await put('first', 1);
    const event = await heard;
    expect(event).toMatchObject({ type: 'model.registered', payload: { id: made.id } });
    expect((await mirror.queries.model(made.id))?.model).toEqual(made);
    const { modules, metadata } = await backend.get('/v1/models/{model_id}', { path: { model_id: made.id } });
    const filled = await eventually(
      () => mirror.queries.model(made.id),
      (found) => found?.detail !== null,
    );
    expect(filled?.detail).toEqual({ modules, metadata });
    expect(mirror.staleSince()).toBeNull();
  });

  test('a run, its models and its log lines arrive, in order and once', async () => {
    const { id } = await backend.post('/v1/cognate/runs', {
      body: { preset: 'nano', foundation_steps: 0, train_steps: 0 },
    });
    const run = await eventually(
      () => mirror.queries.run(id),
      (found) => found?.status === 'succeeded' || found?.status === 'failed',
    );
    expect(run?.status).toBe('succeeded');
    await caughtUp(mirror);
    expect(told.map(({ seq }) => seq)).toEqual(told.map((_, index) => index + 1));
    const { items: runs } = await backend.get('/v1/runs');
    expect((await mirror.queries.runs({ limit: 9 })).items).toEqual(runs);
    expect(await mirror.queries.run(id)).toEqual(runs.find((each) => each.id === id));
    expect((await mirror.queries.models({ run_id: id, limit: 9 })).items).toHaveLength(3);
    const { events } = await backend.get('/v1/events', { query: { after: 0, limit: 5000 } });
    const lines = events.flatMap((each) => (each.type === 'run.log' ? [each.payload] : []));
    expect(lines.length).toBeGreaterThan(0);
    expect(await mirror.queries.logs(id, 200)).toEqual(lines.filter(({ run_id }) => run_id === id));
    expect(await differences(mirror)).toEqual([]);
  });

  test('while the backend is away reads go on and say since when', async () => {
    const { pid } = await stateOf(supervisor, 'up');
    const killed = Date.now();
    process.kill(pid, 'SIGKILL');
    await eventually(
      () => mirror.staleSince(),
      (since) => since !== null,
    );
    expect(Date.parse(mirror.staleSince() ?? '')).toBeGreaterThanOrEqual(killed);
    expect((await mirror.queries.models({ limit: 9 })).items.length).toBeGreaterThan(0);
    await eventually(() => mirror.status().connected, Boolean);
    expect(mirror.staleSince()).toBeNull();
    await put('after-restart', 2);
    await caughtUp(mirror);
    expect(told.map(({ seq }) => seq)).toEqual(told.map((_, index) => index + 1));
  });

  test('dropped, doubled, swapped and cut events give the same mirror, told in order and once', async () => {
    const faults: Fault[] = [
      'none',
      'double',
      'drop',
      'none',
      'swap',
      'none',
      'cut',
      'double',
      'swap',
      'drop',
    ];
    const proxy = await disturb(
      supervisor.endpoint()?.baseUrl ?? '',
      (index) => faults[index % faults.length] ?? 'none',
    );
    const token = supervisor.endpoint()?.token ?? '';
    const other = await openDatabase({ folder: null });
    const disturbed = follow(
      createBackendApi(() => ({ baseUrl: proxy.baseUrl, token })),
      other,
    );
    const heard: number[] = [];
    try {
      await disturbed.start();
      await eventually(() => disturbed.status().connected, Boolean);
      const from = disturbed.cursor()?.seq ?? 0;
      disturbed.onCommitted(({ events }) => heard.push(...events.map(({ seq }) => seq)));
      for (let index = 0; index < 30; index++) {
        const { id } = await put(`disturbed-${index}`, 100 + index);
        if (index % 3 === 0) await backend.delete('/v1/models/{model_id}', { path: { model_id: id } });
      }
      // An event that was dropped is missed at the next one.
      await eventually(
        async () => {
          await put(`last-${Date.now()}`, Date.now() % 1e6);
          const last = (await backend.get('/v1/events', { query: { after: 0, limit: 1 } })).last_seq;
          await systemClock.sleep(200);
          return (disturbed.cursor()?.seq ?? 0) - last;
        },
        (behind) => behind === 0,
      );
      const last = await caughtUp(disturbed);
      expect(proxy.seen()).toBeGreaterThan(20);
      expect(disturbed.status().resyncs).toBeGreaterThan(0);
      expect(heard).toEqual(Array.from({ length: last - from }, (_, index) => from + 1 + index));
      expect(await differences(disturbed)).toEqual([]);
    } finally {
      await disturbed.stop();
      await other.close();
      await proxy.close();
    }
  });

  test('a backend with another history resets the mirror in one step', async () => {
    const before = (await mirror.queries.models({ limit: 500 })).items.length;
    const epoch = mirror.cursor()?.epoch;
    const sizes = new Set<number>();
    const change = new Promise<{ epoch: string; reason: string }>((resolve) => {
      const end = mirror.onReset((news) => {
        end();
        resolve(news);
      });
    });
    const { pid } = await stateOf(supervisor, 'up');
    await rm(folder.path, { recursive: true, force: true });
    process.kill(pid, 'SIGKILL');
    const watching = new AbortController();
    const watch = (async () => {
      while (!watching.signal.aborted) {
        sizes.add((await mirror.queries.models({ limit: 500 })).items.length);
        await systemClock.sleep(5);
      }
    })();
    const news = await change;
    watching.abort();
    await watch;
    expect(news.reason).toBe('unknown_epoch');
    expect(news.epoch).not.toBe(epoch);
    expect([...sizes].every((size) => size === before || size === 0)).toBe(true);
    expect(mirror.cursor()).toEqual({ epoch: news.epoch, seq: 0 });
    await put('in-the-new-history', 5);
    await caughtUp(mirror);
    expect((await mirror.queries.models({ limit: 9 })).items.map(({ name }) => name)).toEqual([
      'in-the-new-history',
    ]);
  });
});

test('a difference that no event explains is found and mended', async () => {
  const [model] = (await mirror.queries.models({ limit: 1 })).items;
  if (!model) throw new Error('the test before this one has left a model');
  await database.prisma.model.deleteMany({ where: { id: model.id } });
  expect(await differences(mirror)).toMatchObject([{ table: 'model', id: model.id, mirror: null }]);
  const again = createMirror({
    database,
    backend,
    clock: systemClock,
    log: quiet,
    graceMs: 0,
    reconcileMs: 600_000,
  });
  await mirror.stop();
  const mended = new Promise<string>((resolve) => {
    again.onReset(({ reason }) => resolve(reason));
  });
  await again.start();
  expect(await mended).toBe('reconcile');
  expect((await again.queries.models({ limit: 1 })).items).toEqual([model]);
  await again.stop();
});
