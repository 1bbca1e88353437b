/** A bad network between gateway and backend: answers that are honest and in time, and a mirror that ends equal. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { io, type Socket } from 'socket.io-client';
import { type BackendApi, createBackendApi } from '../../gateway/src/backend/api.js';
import type { Supervisor } from '../../gateway/src/backend/supervisor.js';
import type { SystemView } from '../../openapi/gateway.js';
import type { ClientEvents, ServerEvents } from '../../openapi/realtime.js';
import { eventually, stateOf, superviseBackend, temporaryFolder } from '../backend/fixtures.js';
import { type TestGateway, testGateway, undocumented } from '../gateway/fixtures.js';
import { safetensors } from '../gateway/safetensors.js';
import { again, options } from './options.js';
import { FAULTS, type Fault, startProxy } from './proxy.js';

/** The gateway's own patience with the backend; an answer may take that and what a busy machine adds. */
const PATIENCE_S = 3;
const HANG_MS = 60_000;
/** What a gateway may say while its backend cannot be reached. */
const HONEST = new Set([200, 502, 503, 504]);
const LONG = 600_000;
const CUTS = FAULTS.flatMap((kind) =>
  Array.from({ length: options.cuts }, (_, index) => [kind, index] as const),
).filter(([, index]) => index === (options.only ?? index));

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let supervisor: Supervisor;
let backend: BackendApi;
let proxy: Awaited<ReturnType<typeof startProxy>>;
let gateway: TestGateway;
let client: Socket<ServerEvents, ClientEvents>;
const told: number[] = [];
let from = 0;
let serial = 0;

const put = () =>
  backend.post('/v1/models/import', {
    query: { name: `model-${serial++}` },
    // Of one size and of many contents: as many bytes of events as possible.
    body: safetensors(16 + serial),
    headers: { 'Content-Type': 'application/octet-stream' },
  });
const last = async () => (await backend.get('/v1/events', { query: { after: 0, limit: 1 } })).last_seq;
const mirrorOf = async () => ((await gateway.ask('/api/v1/system')).json as SystemView).gateway.mirror;

beforeAll(async () => {
  folder = await temporaryFolder();
  supervisor = superviseBackend(folder.path);
  supervisor.start();
  await stateOf(supervisor, 'up');
  backend = createBackendApi(supervisor.endpoint);
  proxy = await startProxy(supervisor.endpoint()?.baseUrl ?? '');
  gateway = await testGateway({
    BACKEND_URL: proxy.url,
    BACKEND_TOKEN: supervisor.endpoint()?.token ?? '',
    BACKEND_TIMEOUT: String(PATIENCE_S),
    RATE_LIMIT: '0',
  });
  await eventually(mirrorOf, ({ connected, epoch }) => connected && epoch !== null);
  client = io(gateway.url, { auth: { token: gateway.token }, transports: ['websocket'], forceNew: true });
  client.on('event', ({ event }) => told.push(event.seq));
  const ack = await client.timeout(HANG_MS).emitWithAck('subscribe', { topic: 'models' });
  if (!ack.ok) throw new Error(ack.problem.detail);
  from = Number(ack.cursor.split(':')[1]);
}, LONG);
afterAll(async () => {
  client?.disconnect();
  await gateway?.end();
  await proxy?.close();
  await supervisor?.stop();
  await folder?.remove();
});

/** By seed, kind and number alone, so that one case can be run again. */
function faultsOf(kind: Fault['kind'], index: number): () => Fault {
  const drawn = fc.sample(
    fc.record({ afterBytes: fc.integer({ min: 1, max: 6000 }), delayMs: fc.nat(400) }),
    {
      seed: options.seed * 1000 + FAULTS.indexOf(kind) * 100 + index,
      numRuns: 200,
    },
  );
  let turn = 0;
  return () => ({ kind, ...(drawn[turn++ % drawn.length] ?? { afterBytes: 1, delayMs: 1 }) });
}

test.each(CUTS)(
  '%s, case %i: every answer is documented and in time, the mirror ends equal, nothing is told twice',
  async (kind, index) => {
    const before = proxy.disturbed();
    proxy.disturb(faultsOf(kind, index));
    const faults: string[] = [];
    const { id } = await put();
    const ask = async (operation: string, target: string, body?: unknown) => {
      const began = performance.now();
      const answer = await gateway.ask(target, body === undefined ? {} : { method: 'POST', body });
      const took = performance.now() - began;
      if (!HONEST.has(answer.status)) faults.push(`${operation}: ${answer.status}`);
      faults.push(...undocumented(operation, answer));
      if (took > HANG_MS) faults.push(`${operation}: ${Math.round(took)} ms`);
    };
    for (let round = 0; round < 4; round++) {
      const made = await put();
      if (round % 2 === 1) await backend.delete('/v1/models/{model_id}', { path: { model_id: made.id } });
      await Promise.all([
        ask('getLineage', `/api/v1/models/${id}/lineage`),
        ask('forecastCognate', '/api/v1/cognate/forecast', {}),
        ask('listMergeMethods', '/api/v1/merge-methods'),
        ask('getSystem', '/api/v1/system'),
        ask('listModels', '/api/v1/models'),
      ]);
    }
    await eventually(proxy.disturbed, (count) => count > before);
    proxy.disturb(null);
    const seq = await last();
    await eventually(mirrorOf, (mirror) => mirror.connected && mirror.seq >= seq);
    await eventually(
      () => told.at(-1) ?? from,
      (heard) => heard >= seq,
    );
    const command = again('network', index);
    expect({ faults, command }).toEqual({ faults: [], command });
    // Imports and deletions are all that this backend's log holds.
    expect(told).toEqual(Array.from({ length: told.length }, (_, position) => from + 1 + position));
    const own = await backend.get('/v1/models', { query: { limit: 500, sort: 'created_at' } });
    const shown = (await gateway.ask('/api/v1/models?limit=500&sort=created_at')).json as typeof own;
    expect(shown.items).toEqual(own.items);
  },
  LONG,
);
