/** Who may ask, and what wrong requests are told; the backend is away, so that nothing can be created by mistake. */
import { readFile, stat } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Readiness } from '../../openapi/gateway.js';
import type { Problem } from '../../openapi/problem.js';
import { invalid, nobody, operations, type TestGateway, testGateway, undocumented } from './fixtures.js';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await testGateway(await nobody());
});
afterAll(() => gateway.end());

const concrete = (path: string) => path.replace('{command}', 'cancel').replaceAll(/\{\w+\}/g, 'x');

describe('every operation of the specification', () => {
  test.each(
    operations.map((operation) => [operation.id, operation] as const),
  )('%s asks for the token', async (id, { method, path, open }) => {
    for (const token of [null, 'wrong-token-that-is-long-enough-to-be-one']) {
      const answer = await gateway.ask(concrete(path), { method, token });
      if (open) expect(answer.status).not.toBe(401);
      else {
        expect(answer.status).toBe(401);
        expect(answer.headers.get('www-authenticate')).toBe('Bearer');
        if (method !== 'HEAD') expect(undocumented(id, answer)).toEqual([]);
      }
    }
  });

  test.each(
    operations.map((operation) => [operation.id, operation] as const),
  )('%s is served, as specified, also without a backend', async (id, { method, path }) => {
    const answer = await gateway.ask(concrete(path), { method });
    expect(answer.status).not.toBe(405);
    expect((answer.json as Partial<Problem> | undefined)?.detail ?? '').not.toMatch(/nothing at/);
    if (method !== 'HEAD') expect(undocumented(id, answer)).toEqual([]);
  });
});

test.each([
  ['/api'],
  ['/api/v1/nothing'],
  ['/api/v2/runs'],
  ['/metrics/x'],
])('%s needs the token before it is told that it does not exist', async (path) => {
  expect((await gateway.ask(path, { token: null })).status).toBe(401);
  const answer = await gateway.ask(path);
  expect(answer.status).toBe(404);
  expect(invalid('Problem', answer.json)).toBeNull();
});

describe('token', () => {
  test('its file is readable by its owner alone', async () => {
    const path = join(gateway.directory, 'gateway.token');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await readFile(path, 'utf8')).trim()).toBe(gateway.token);
    expect(gateway.token.length).toBeGreaterThanOrEqual(43);
  });

  test('in a query it is no token', async () => {
    const answer = await gateway.ask(`/api/v1/runs?token=${gateway.token}`, { token: null });
    expect(answer.status).toBe(401);
  });

  test('the runtime file names the address, not the token', async () => {
    const path = join(gateway.directory, 'gateway.json');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ url: gateway.url, pid: process.pid });
  });
});

/** fetch does not let a caller set Host. */
function raw(
  path: string,
  headers: Record<string, string>,
  method = 'GET',
): Promise<{ status: number; headers: object; text: string }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(gateway.url);
    const sent = request({ hostname, port, path, method, headers }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
    });
    sent.on('error', reject);
    sent.end();
  });
}

describe('Host and Origin', () => {
  test.each([
    [{ host: 'localhost:4400' }, 200],
    [{ host: '127.0.0.1' }, 200],
    [{ host: '[::1]:1' }, 200],
    [{ host: 'LOCALHOST' }, 200],
    [{ host: 'evil.example' }, 403],
    [{ host: 'localhost.evil.example' }, 403],
    [{ host: 'evil.example:80@localhost' }, 403],
    [{ host: 'localhost:4400', origin: 'http://localhost:4400' }, 200],
    [{ host: 'localhost:4400', origin: 'http://localhost:9999' }, 403],
    [{ host: 'localhost:4400', origin: 'http://evil.example' }, 403],
    [{ host: 'localhost:4400', origin: 'null' }, 403],
  ])('%j is answered %i', async (headers, status) => {
    const authorization = `Bearer ${gateway.token}`;
    const answer = await raw('/api/v1/runs', { ...headers, authorization });
    expect(answer.status).toBe(status);
    if (status === 403) expect(invalid('Problem', JSON.parse(answer.text))).toBeNull();
  });

  test('a socket handshake from another site is refused', async () => {
    const path = '/socket.io/?EIO=4&transport=polling';
    expect((await raw(path, { host: 'localhost' })).status).toBe(200);
    expect((await raw(path, { host: 'evil.example' })).status).toBe(403);
    expect((await raw(path, { host: 'localhost', origin: 'http://evil.example' })).status).toBe(403);
  });
});

const cognate = '/api/v1/cognate/runs';
describe('wrong requests', () => {
  type Row = [
    what: string,
    path: string,
    body: unknown,
    status: number,
    field: string | null,
    allowed: RegExp | null,
  ];
  test.each<Row>([
    ['unknown value', cognate, { preset: 'nan' }, 422, 'preset', /one of nano, tinytitan, wide/],
    ['wrong type', cognate, { difficulty: 'hard' }, 422, 'difficulty', /1 to 5/],
    ['out of range', cognate, { difficulty: 9 }, 422, 'difficulty', /1 to 5/],
    ['a fraction', cognate, { foundation_steps: 1.5 }, 422, 'foundation_steps', /integer/],
    ['deep in the body', cognate, { seeds: [1, -2, 3] }, 422, 'seeds.1', /0 to/],
    ['unknown field', cognate, { foundation_step: 5 }, 422, 'foundation_step', /one of preset/],
    ['not an object', cognate, [1], 422, 'body', /object/],
    ['a string', cognate, '"x"', 422, 'body', /object/],
    ['no body', cognate, undefined, 422, 'body', null],
    ['one parent', '/api/v1/evomerge/runs', { parents: ['a'] }, 422, 'parents', /2 to 16 items/],
    [
      'nested settings',
      '/api/v1/pipelines',
      { evomerge: { generations: -1 } },
      422,
      'evomerge.generations',
      /to/,
    ],
    ['empty prompt', '/api/v1/models/x/predict', { prompt: '' }, 422, 'prompt', /1 to 4096 characters/],
    ['bad name', '/api/v1/models/import?name=../x', 'bytes', 422, 'name', /matching/],
  ])('%s: %s %j', async (_what, path, body, status, field, words) => {
    const binary = path.includes('import');
    const answer = await gateway.ask(path, {
      method: 'POST',
      body,
      headers: { 'content-type': binary ? 'application/octet-stream' : 'application/json' },
    });
    const problem = answer.json as Problem;
    expect([answer.status, problem.code]).toEqual([status, 'invalid_request']);
    expect(invalid('Problem', problem)).toBeNull();
    const fault = problem.errors.find((error) => error.field === field);
    expect(problem.errors.map((error) => error.field)).toContain(field);
    if (words) expect(fault?.allowed).toMatch(words);
  });

  test('all faults at once, each with its value, without those that only repeat', async () => {
    const answer = await gateway.ask('/api/v1/pipelines', {
      method: 'POST',
      body: { cognate: { preset: 'x', difficulty: 0 }, evomerge: { population: 1e9, nonsense: true } },
    });
    const { errors } = answer.json as Problem;
    expect(errors.map(({ field, value }) => [field, value]).sort()).toEqual([
      ['cognate.difficulty', 0],
      ['cognate.preset', 'x'],
      ['evomerge.nonsense', true],
      ['evomerge.population', 1e9],
    ]);
  });

  const JSON_TYPE = { 'content-type': 'application/json' };
  const nested = (open: string, inner: string, close: string, levels: number) =>
    open.repeat(levels) + inner + close.repeat(levels);
  test.each([
    ['malformed JSON', { body: '{"a":', headers: JSON_TYPE }, 400, 'malformed'],
    ['nested lists', { body: nested('[', '', ']', 17), headers: JSON_TYPE }, 400, 'malformed'],
    ['nested objects', { body: nested('{"cognate":', '1', '}', 17), headers: JSON_TYPE }, 400, 'malformed'],
    [
      'very deep lists',
      { body: `{"seeds":${nested('[', '', ']', 250_000)}}`, headers: JSON_TYPE },
      400,
      'malformed',
    ],
    [
      'lists within the limit',
      { body: nested('[', '', ']', 16), headers: JSON_TYPE },
      422,
      'invalid_request',
    ],
    ['another type', { body: 'x', headers: { 'content-type': 'text/plain' } }, 415, 'unsupported_media_type'],
    [
      'too large',
      { body: `{"session_id":"${'x'.repeat(1_100_000)}"}`, headers: JSON_TYPE },
      413,
      'content_too_large',
    ],
  ])('%s', async (_what, asked, status, code) => {
    const answer = await gateway.ask(cognate, { method: 'POST', ...asked });
    expect([answer.status, (answer.json as Problem).code]).toEqual([status, code]);
    expect(undocumented('createCognateRun', answer)).toEqual([]);
  });

  test.each([
    ['/api/v1/runs?limit=0', 'limit', /1 to 500/],
    ['/api/v1/runs?limit=abc', 'limit', /integer/],
    ['/api/v1/runs?kind=other', 'kind', /one of cognate, evomerge/],
    ['/api/v1/runs?kind=cognate&kind=evomerge', 'kind', /one of/],
    ['/api/v1/runs?colour=red', 'colour', null],
    ['/api/v1/runs?cursor=nonsense', 'cursor', null],
    ['/api/v1/models?sort=size', 'sort', /one of created_at/],
    ['/api/v1/runs/x/candidates?generation=-1', 'generation', /0 to 1000/],
    ['/api/v1/runs/%2e%2e%2fetc', 'run_id', /matching/],
  ])('%s', async (path, field, words) => {
    const answer = await gateway.ask(path);
    const { errors } = answer.json as Problem;
    expect([answer.status, errors.map((error) => error.field)]).toEqual([422, [field]]);
    if (words) expect(errors[0]?.allowed).toMatch(words);
  });

  test('a method that is none of the path', async () => {
    const answer = await gateway.ask('/api/v1/runs', { method: 'DELETE' });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET']);
  });

  test('a path that cannot be decoded', async () => {
    expect(
      (await raw('/api/v1/runs/%ff', { host: 'localhost', authorization: `Bearer ${gateway.token}` })).status,
    ).toBe(422);
  });
});

describe('without the backend', () => {
  const valid: Record<string, unknown> = {
    createCognateRun: {},
    forecastCognate: {},
    createEvomergeRun: { parents: ['a', 'b'] },
    forecastEvomerge: { parents: ['a', 'b'] },
    createPipeline: {},
    forecastPipeline: {},
    createMerge: { configuration: 'models: []' },
    forecastMerge: { configuration: 'models: []' },
    predict: { prompt: '1+1=' },
    streamPrediction: { prompt: '1+1=' },
    readEvolveConfiguration: { configuration: 'genome: {}' },
    createImport: { name: 'x', source: { kind: 'upload', files: [{ name: 'config.json', bytes: 2 }] } },
  };
  test.each(
    operations
      .filter(({ method }) => method === 'POST' || method === 'DELETE')
      .map((item) => [item.id, item] as const),
  )('%s: 503 with Retry-After', async (id, { method, path }) => {
    const imports = id === 'importModel';
    const answer = await gateway.ask(concrete(path) + (imports ? '?name=mine' : ''), {
      method,
      body: imports ? 'bytes' : valid[id],
      headers: imports ? { 'content-type': 'application/octet-stream' } : {},
    });
    expect([answer.status, (answer.json as Problem).code]).toEqual([503, 'backend_away']);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(undocumented(id, answer)).toEqual([]);
  });

  test.each([
    ['/api/v1/runs'],
    ['/api/v1/models'],
  ])('%s answers from the mirror and says since when', async (path) => {
    const answer = await gateway.ask(path);
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ items: [], next_cursor: null });
    const { stale_since } = answer.json as { stale_since: string };
    expect(Date.parse(stale_since)).toBeLessThanOrEqual(Date.now());
  });

  test('system and readiness name what is away', async () => {
    const system = await gateway.ask('/api/v1/system');
    expect(system.json).toMatchObject({
      backend: null,
      gateway: { backend_state: 'external', pid: null, restarts: 0 },
    });
    const ready = await gateway.ask('/readyz', { token: null });
    expect(ready.status).toBe(200);
    expect(ready.json).toMatchObject({ status: 'degraded' });
    expect((ready.json as Readiness).dependencies).toContainEqual({
      name: 'workers',
      ok: false,
      detail: 'unknown: the backend does not answer',
    });
    expect(undocumented('getReadiness', ready)).toEqual([]);
  });
});

describe('pages', () => {
  test('the documentation runs under its content security policy', async () => {
    const page = await gateway.ask('/api/docs', { token: null });
    expect(page.status).toBe(200);
    expect(page.headers.get('content-security-policy')).toMatch(/script-src 'self';/);
    expect(page.text).not.toMatch(/<script>|onload=|style="/);
    const links = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link ?? '');
    expect(links.length).toBeGreaterThan(3);
    for (const link of links)
      expect([link, (await gateway.ask(link, { token: null })).status]).toEqual([link, 200]);
    expect((await gateway.ask('/api/docs/package.json', { token: null })).status).toBe(401);
  });

  test('metrics are Prometheus text', async () => {
    const { text, headers } = await gateway.ask('/metrics');
    expect(headers.get('content-type')).toMatch(/^text\/plain/);
    for (const name of ['http_request_seconds_bucket', 'mirror_seq', 'mirror_connected 0', 'sockets 0']) {
      expect(text).toContain(`agent_forge_${name}`);
    }
  });

  test('every answer carries a request id and continues the caller’s trace', async () => {
    const trace = '0af7651916cd43dd8448eb211c80319c';
    const answer = await gateway.ask('/api/v1/runs', {
      headers: { traceparent: `00-${trace}-b7ad6b7169203331-01`, 'x-request-id': 'mine-1' },
    });
    expect(answer.headers.get('x-request-id')).toBe('mine-1');
    expect(answer.headers.get('traceparent')).toMatch(
      new RegExp(`^00-${trace}-(?!b7ad6b7169203331)[0-9a-f]{16}-01$`),
    );
    const wrong = await gateway.ask('/api/v1/nothing', { headers: { traceparent: 'garbage' } });
    expect((wrong.json as Problem).trace_id).toMatch(/^[0-9a-f]{32}$/);
  });
});
