/** The gateway with its real backend as child: what goes through, what is mirrored, what happens when it dies. */
import { createHash } from 'node:crypto';
import { get } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { io, type Socket } from 'socket.io-client';
import type { Model, ModelImport, PredictionPart, Problem } from '../../openapi/backend.js';
import type { Readiness, RunPageView, RunView, StatusMessage, SystemView } from '../../openapi/gateway.js';
import type { ClientEvents, ServerEvents } from '../../openapi/realtime.js';
import { eventually, PATIENCE_MS, stateOf } from '../backend/fixtures.js';
import { type Answer, invalid, operations, type TestGateway, testGateway, undocumented } from './fixtures.js';
import { safetensors } from './safetensors.js';

type Client = Socket<ServerEvents, ClientEvents>;

let gateway: TestGateway;
let run: RunView;
let model: Model;
let folder: ModelImport;
let brought: Model;
const file = safetensors(4_000_000);
const key = { 'idempotency-key': 'the-only-one' };
// The smallest real run: three models are drawn, saved and registered, and nothing is trained.
const config = { preset: 'nano', foundation_steps: 0, train_steps: 0 };

beforeAll(async () => {
  gateway = await testGateway();
  await stateOf(gateway.supervisor, 'up');
  await eventually(
    () => gateway.ask('/readyz'),
    ({ json }) => (json as { status: string }).status === 'ready',
  );
});
afterAll(() => gateway.end());

function connect(): Client {
  return io(gateway.url, { auth: { token: gateway.token }, transports: ['websocket'], forceNew: true });
}

const statusOf = async (id: string) => ((await gateway.ask(`/api/v1/runs/${id}`)).json as RunView).status;

test('workers and their leases are told', async () => {
  const { dependencies } = (await gateway.ask('/readyz')).json as Readiness;
  expect(dependencies).toContainEqual({ name: 'workers', ok: true, detail: '1 of 1 alive' });
  const system = (await gateway.ask('/api/v1/system')).json as SystemView;
  expect(system.backend?.readiness).toMatchObject({ status: 'ready', workers_alive: 1, faults: [] });
  const { text } = await gateway.ask('/metrics');
  for (const line of [
    'workers_alive 1',
    'workers_wanted 1',
    'backend_faults 0',
    'oldest_queued_run_seconds 0',
  ])
    expect(text).toContain(`agent_forge_${line}\n`);
});

describe('runs', () => {
  test('a created run can be read at once, and a repeat is the same run', async () => {
    const trace = '0af7651916cd43dd8448eb211c80319c';
    const headers = { ...key, traceparent: `00-${trace}-b7ad6b7169203331-01` };
    const created = await gateway.ask('/api/v1/cognate/runs', { method: 'POST', body: config, headers });
    expect(undocumented('createCognateRun', created)).toEqual([]);
    expect(created.status).toBe(202);
    run = created.json as RunView;
    expect(run.trace_id).toBe(trace);
    const location = created.headers.get('location') ?? '';
    expect(location).toBe(`/api/v1/runs/${run.id}`);
    expect((await gateway.ask(location)).status).toBe(200);
    const again = await gateway.ask('/api/v1/cognate/runs', { method: 'POST', body: config, headers: key });
    expect((again.json as RunView).id).toBe(run.id);
    const other = { ...config, difficulty: 3 };
    const conflict = await gateway.ask('/api/v1/cognate/runs', { method: 'POST', body: other, headers: key });
    expect([conflict.status, undocumented('createCognateRun', conflict)]).toEqual([409, []]);
  });

  test('it really runs', async () => {
    await eventually(
      () => statusOf(run.id),
      (status) => status === 'succeeded',
    );
    const { json } = await gateway.ask(`/api/v1/models?run_id=${run.id}`);
    expect((json as { items: Model[] }).items.length).toBeGreaterThanOrEqual(3);
  });

  test('a command that does not fit the state', async () => {
    const answer = await gateway.ask(`/api/v1/runs/${run.id}/pause`, { method: 'POST' });
    expect([answer.status, undocumented('commandRun', answer)]).toEqual([409, []]);
  });
});

describe('files', () => {
  const download = () => `/api/v1/models/${model.id}/download`;

  test('import streams upward', async () => {
    const response = await fetch(`${gateway.url}/api/v1/models/import?name=mine`, {
      method: 'POST',
      headers: { authorization: `Bearer ${gateway.token}`, 'content-type': 'application/octet-stream' },
      body: new Uint8Array(file),
    });
    model = (await response.json()) as Model;
    expect([response.status, invalid('Model', model)]).toEqual([201, null]);
    expect(model.parameters).toBe(4_000_000);
    expect((await gateway.ask(`/api/v1/models/${model.id}`)).status).toBe(200);
  });

  test('what is no safetensors file is refused', async () => {
    const answer = await gateway.ask('/api/v1/models/import?name=wrong', {
      method: 'POST',
      body: 'not a tensor in sight',
      headers: { 'content-type': 'application/octet-stream' },
    });
    expect([answer.status, undocumented('importModel', answer)]).toEqual([422, []]);
  });

  test('a folder comes in file by file, and goes on where it was cut off', async () => {
    const name = 'model.safetensors';
    const begin = () =>
      gateway.ask('/api/v1/imports', {
        method: 'POST',
        body: { name: 'folder', source: { kind: 'upload', files: [{ name, bytes: file.byteLength }] } },
      });
    const answer = await begin();
    expect([answer.status, undocumented('createImport', answer)]).toEqual([201, []]);
    folder = answer.json as ModelImport;
    const put = (from: number, to: number) =>
      fetch(`${gateway.url}/api/v1/imports/${folder.id}/files/${name}?offset=${from}`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${gateway.token}`, 'content-type': 'application/octet-stream' },
        body: new Uint8Array(file.subarray(from, to)),
      });
    expect((await put(0, 1_000_000)).status).toBe(200);
    expect((await put(0, 1_000_000)).status).toBe(409);
    const [found] = ((await begin()).json as ModelImport).files;
    expect(found).toMatchObject({ received: 1_000_000, left_out: null });
    const rest = await put(1_000_000, file.byteLength);
    expect([rest.status, invalid('ImportFile', await rest.json())]).toEqual([200, null]);
    const finish = await gateway.ask(`/api/v1/imports/${folder.id}/finish`, { method: 'POST' });
    expect([finish.status, undocumented('finishImport', finish)]).toEqual([202, []]);
    const done = await eventually(
      async () => (await gateway.ask(`/api/v1/imports/${folder.id}`)).json as ModelImport,
      ({ status }) => status === 'succeeded',
    );
    const made = await gateway.ask(`/api/v1/models/${done.model_id}`);
    brought = made.json as Model;
    expect(brought).toMatchObject({ digest: model.digest, parameters: model.parameters });
  });

  test('a folder goes out whole, or file by file', async () => {
    const headers = { authorization: `Bearer ${gateway.token}` };
    const address = `/api/v1/models/${brought.id}`;
    const archive = await fetch(`${gateway.url}${address}/download?format=zip`, { headers });
    expect([archive.status, archive.headers.get('content-type')]).toEqual([200, 'application/zip']);
    expect(
      Buffer.from(await archive.arrayBuffer())
        .subarray(0, 2)
        .toString(),
    ).toBe('PK');
    const one = await fetch(`${gateway.url}${address}/files/model.safetensors`, { headers });
    expect([one.status, sha(await one.arrayBuffer())]).toEqual([200, sha(file)]);
    const part = await fetch(`${gateway.url}${address}/files/model.safetensors`, {
      headers: { ...headers, range: 'bytes=8-107' },
    });
    expect([part.status, sha(await part.arrayBuffer())]).toEqual([206, sha(file.subarray(8, 108))]);
    const none = await gateway.ask(`${address}/files/config.json`);
    expect([none.status, undocumented('downloadModelFile', none)]).toEqual([404, []]);
    const single = await gateway.ask(`/api/v1/models/${model.id}/download?format=zip`);
    expect([single.status, undocumented('downloadModel', single)]).toEqual([409, []]);
  });

  const fetchFile = (headers: Record<string, string> = {}, method = 'GET') =>
    fetch(gateway.url + download(), {
      method,
      headers: { authorization: `Bearer ${gateway.token}`, ...headers },
    });
  const sha = (bytes: ArrayBuffer | Buffer) =>
    createHash('sha256')
      .update(Buffer.from(bytes as ArrayBuffer))
      .digest('hex');

  test('download gives the same bytes, with length and tag', async () => {
    const response = await fetchFile({ 'accept-encoding': 'gzip' });
    expect(response.headers.get('content-length')).toBe(String(model.bytes));
    expect(response.headers.get('content-encoding')).toBeNull();
    expect(response.headers.get('etag')).toBe(`"${model.files[0]?.file_sha256}"`);
    const bytes = await response.arrayBuffer();
    expect(sha(bytes)).toBe(model.files[0]?.file_sha256);
  });

  test.each([
    ['bytes=0-99', 0, 100],
    ['bytes=1000000-1000999', 1_000_000, 1_001_000],
    ['bytes=-7', -7, undefined],
  ])('range %s', async (range, from, to) => {
    const whole = Buffer.from(await (await fetchFile()).arrayBuffer());
    const response = await fetchFile({ range });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toMatch(/^bytes \d+-\d+\/\d+$/);
    expect(sha(await response.arrayBuffer())).toBe(sha(whole.subarray(from, to)));
  });

  test.each([
    ['bytes=abc'],
    ['bytes=5-2'],
    ['items=0-1'],
    ['bytes='],
    ['bytes=0-1,5-2'],
    ['bytes = 0-1'],
  ])('range %s is none: the whole file comes', async (range) => {
    const response = await fetchFile({ range });
    expect([response.status, response.headers.get('content-length')]).toEqual([200, String(model.bytes)]);
    await response.body?.cancel();
  });

  test('several ranges, one of them beyond the file', async () => {
    const response = await fetchFile({ range: 'bytes=0-9, 20-29, 999999999-' });
    expect([response.status, response.headers.get('content-type')]).toEqual([
      206,
      expect.stringMatching(/^multipart\/byteranges; boundary=/),
    ]);
    expect(await response.text()).toMatch(/bytes 0-9\/[\s\S]*bytes 20-29\//);
  });

  test.each([
    ['bytes=-0'],
    ['bytes=999999999-'],
    [`bytes=${'9'.repeat(5000)}-`],
  ])('range %s lies beyond the file', async (range) => {
    const response = await fetchFile({ range });
    expect([response.status, response.headers.get('content-range')]).toEqual([416, `bytes */${model.bytes}`]);
    expect(((await response.json()) as Problem).code).toBe('range_not_satisfiable');
  });

  test('a range beyond the file', async () => {
    const response = await fetchFile({ range: 'bytes=999999999-' });
    expect(response.status).toBe(416);
    expect(((await response.json()) as Problem).code).toBe('range_not_satisfiable');
    expect(response.headers.get('content-range')).toMatch(/^bytes \*\/\d+$|^\*\/\d+$/);
  });

  test('If-None-Match and If-Range', async () => {
    const tag = (await fetchFile({}, 'HEAD')).headers.get('etag') ?? '';
    const same = await fetchFile({ 'if-none-match': tag });
    expect([same.status, (await same.arrayBuffer()).byteLength]).toEqual([304, 0]);
    expect((await fetchFile({ 'if-range': tag, range: 'bytes=0-9' })).status).toBe(206);
    // What the tensors are called says nothing of the bytes around them.
    const changed = await fetchFile({ 'if-range': `"${model.digest}"`, range: 'bytes=0-9' });
    expect(changed.status).toBe(200);
    await changed.body?.cancel();
  });

  test.each(['safetensors', 'pt'])('the tag of a %s file names its bytes', async (format) => {
    const headers = { authorization: `Bearer ${gateway.token}` };
    const url = `${gateway.url}${download()}?format=${format}`;
    const response = await fetch(url, { headers });
    const tag = response.headers.get('etag');
    expect(tag).toBe(`"${sha(await response.arrayBuffer())}"`);
    const part = await fetch(url, { headers: { ...headers, 'if-range': tag ?? '', range: 'bytes=5-' } });
    expect([part.status, part.headers.get('etag')]).toEqual([206, tag]);
    await part.body?.cancel();
  });

  test('HEAD tells the size without the bytes', async () => {
    const response = await fetchFile({}, 'HEAD');
    expect([response.status, response.headers.get('content-length')]).toEqual([200, String(model.bytes)]);
  });

  test('a client that leaves does not keep the gateway reading', async () => {
    const before = process.memoryUsage().external;
    for (let index = 0; index < 20; index++) {
      await new Promise<void>((resolve, reject) => {
        const sent = get(
          gateway.url + download(),
          { headers: { authorization: `Bearer ${gateway.token}` }, agent: false },
          (response) => {
            response.once('data', () => {
              sent.destroy();
              resolve();
            });
          },
        );
        sent.on('error', reject);
      });
    }
    expect((await gateway.ask('/api/v1/system')).status).toBe(200);
    // Twenty abandoned files of 16 MB would show.
    expect(process.memoryUsage().external - before).toBeLessThan(160e6);
  });

  test('a ticket gives the file once, without the token', async () => {
    const issued = await gateway.ask(`/api/v1/models/${model.id}/download-tickets`, { method: 'POST' });
    expect([issued.status, undocumented('issueDownloadTicket', issued)]).toEqual([201, []]);
    const { path } = issued.json as { path: string };
    const response = await fetch(gateway.url + path);
    expect(response.headers.get('content-disposition')).toMatch(/^attachment/);
    expect(sha(await response.arrayBuffer())).toBe(model.files[0]?.file_sha256);
    const again = await gateway.ask(path, { token: null });
    expect([again.status, undocumented('redeemDownloadTicket', again)]).toEqual([404, []]);
  });

  test('no such model', async () => {
    const nobody = await gateway.ask('/api/v1/models/nobody/download-tickets', { method: 'POST' });
    expect([nobody.status, undocumented('issueDownloadTicket', nobody)]).toEqual([404, []]);
    const answer = await gateway.ask('/api/v1/models/nobody/download');
    expect([answer.status, undocumented('downloadModel', answer)]).toEqual([404, []]);
  });
});

test('a prediction comes line by line, and a fault before it as a problem', async () => {
  const { json } = await gateway.ask(`/api/v1/models?run_id=${run.id}`);
  const path = `/api/v1/models/${(json as { items: Model[] }).items[0]?.id}/predict/stream`;
  const answer = await gateway.ask(path, { method: 'POST', body: { prompt: '1+1=', max_tokens: 2 } });
  expect(undocumented('streamPrediction', answer)).toEqual([]);
  const parts = answer.text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as PredictionPart);
  expect(parts.map((part) => invalid('PredictionPart', part)).filter(Boolean)).toEqual([]);
  expect([parts[0]?.type, parts.at(-1)?.type]).toEqual(['begun', 'ended']);
  const refused = await gateway.ask(path, { method: 'POST', body: { prompt: '1', chat: true } });
  expect([refused.status, undocumented('streamPrediction', refused)]).toEqual([422, []]);
});

describe('every read', () => {
  test('answers as specified', async () => {
    const fill: Record<string, string> = {
      '{run_id}': run.id,
      '{model_id}': model.id,
      '{import_id}': folder.id,
    };
    const skip = new Set(['downloadModel', 'headModel', 'downloadModelFile', 'redeemDownloadTicket']);
    // The model was trained, and mergekit has no word for that.
    const expected: Record<string, number> = { getModelConfiguration: 409 };
    const faults: string[] = [];
    for (const { id, method, path } of operations) {
      if (method !== 'GET' || skip.has(id)) continue;
      const target = path.replaceAll(/\{\w+\}/g, (name) => fill[name] ?? 'unknown');
      const answer = await gateway.ask(target);
      faults.push(...undocumented(id, answer));
      if (!/\{(pipeline|candidate)_id\}/.test(path) && answer.status !== (expected[id] ?? 200))
        faults.push(`${id}: ${answer.status}`);
    }
    expect(faults).toEqual([]);
  });

  test.each([
    ['forecastCognate', '/api/v1/cognate/forecast', config],
    ['forecastPipeline', '/api/v1/pipelines/forecast', { cognate: config }],
    ['verifyModel', 'model/verify', { rebuild: true }],
  ])('%s answers as specified', async (id, path, body) => {
    const target = path.replace('model/', `/api/v1/models/${model.id}/`);
    const answer: Answer = await gateway.ask(target, { method: 'POST', body });
    expect([answer.status, undocumented(id, answer)]).toEqual([200, []]);
  });

  test('verify needs no body', async () => {
    const answer = await gateway.ask(`/api/v1/models/${model.id}/verify`, { method: 'POST' });
    expect([answer.status, undocumented('verifyModel', answer)]).toEqual([200, []]);
  });
});

describe('when the backend is killed', () => {
  test('sockets are told while it is away, reads go on with stale_since, commands are refused; then it is back', async () => {
    const client = connect();
    const told: StatusMessage[] = [];
    client.on('status', (message) => told.push(message));
    await eventually(
      () => told.length,
      (count) => count > 0,
    );
    const { pid } = await stateOf(gateway.supervisor, 'up');
    process.kill(pid, 'SIGKILL');
    await eventually(
      () => told.find((message) => message.backend_state !== 'up' && message.stale_since !== null),
      (found) => found !== undefined,
    );
    const page = (await gateway.ask('/api/v1/runs')).json as RunPageView;
    expect(page.items.map(({ id }) => id)).toEqual([run.id]);
    await eventually(
      () => gateway.ask('/api/v1/system'),
      ({ json }) => (json as SystemView).backend !== null && (json as SystemView).stale_since === null,
    );
    expect(told.at(-1)).toMatchObject({ backend_state: 'up', restarts: 1, stale_since: null });
    client.disconnect();
  });
});

test('the gateway is away for a while: it catches up, and a cursor misses nothing', async () => {
  const client = connect();
  const ack = await client.timeout(PATIENCE_MS).emitWithAck('subscribe', { topic: 'runs' });
  if (!ack.ok) throw new Error(ack.problem.detail);
  const answer = await gateway.ask('/api/v1/cognate/runs', { method: 'POST', body: config });
  const { id } = answer.json as RunView;
  client.disconnect();
  await gateway.end({ keep: true });
  gateway = await testGateway({}, gateway.directory);
  await eventually(
    () => statusOf(id),
    (status) => status === 'succeeded',
  );
  const later = connect();
  const got: [number, string][] = [];
  later.on('event', ({ event }) => got.push([event.seq, event.type]));
  const again = await later
    .timeout(PATIENCE_MS)
    .emitWithAck('subscribe', { topic: 'runs', after: ack.cursor });
  expect(again).toMatchObject({ ok: true, snapshot: null });
  await eventually(
    () => got.at(-1)?.[1],
    (type) => type === 'run.succeeded',
  );
  const seqs = got.map(([seq]) => seq);
  expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
  expect(got[0]?.[1]).toBe('run.created');
  later.disconnect();
});
