import { execFile } from 'node:child_process';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { isCancel } from 'axios';
import { root } from '../../gateway/src/root.js';
import type { paths } from '../../openapi/backend.js';
import { type Client, createClient, ProblemError } from '../../openapi/client.js';

let server: Server;
let client: Client<paths>;
let baseUrl: string;
let answer: (incoming: IncomingMessage, outgoing: ServerResponse) => void;

/** An HTTP server that answers whatever the test says: what is under test is the client's side of the wire. */
beforeAll(async () => {
  server = createServer((incoming, outgoing) => answer(incoming, outgoing));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  client = createClient<paths>({ baseUrl, token: () => 'secret-token', timeout: 60_000 });
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const json = (outgoing: ServerResponse, status: number, body: unknown, headers = {}) =>
  outgoing
    .writeHead(status, { 'content-type': 'application/problem+json', ...headers })
    .end(JSON.stringify(body));

test('path, query, headers, body and token reach the server as the contract writes them', async () => {
  const seen: { url?: string | undefined; headers?: IncomingMessage['headers']; body?: string } = {};
  answer = (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      Object.assign(seen, {
        url: incoming.url,
        headers: incoming.headers,
        body: Buffer.concat(chunks).toString(),
      });
      json(outgoing, 202, { id: 'r' }, { 'retry-after': '7' });
    });
  };
  await client.get('/v1/models', { query: { search: 'a b&c', kind: null, limit: 3 } });
  expect(seen.url).toBe('/v1/models?search=a+b%26c&limit=3');
  expect(seen.headers?.authorization).toBe('Bearer secret-token');
  await client.get('/v1/models/{model_id}', { path: { model_id: 'a/b?c#d%' } });
  expect(seen.url).toBe('/v1/models/a%2Fb%3Fc%23d%25');
  const made = await client.request('post', '/v1/cognate/runs', {
    body: { preset: 'nano', seeds: [1, 2, 3] },
    headers: { 'Idempotency-Key': 'k', traceparent: undefined },
  });
  expect(made).toMatchObject({ status: 202, headers: { 'retry-after': '7' }, data: { id: 'r' } });
  expect(JSON.parse(seen.body ?? '')).toEqual({ preset: 'nano', seeds: [1, 2, 3] });
  expect(seen.headers).toMatchObject({ 'idempotency-key': 'k', 'content-type': 'application/json' });
});

test.each(['..', '.', ''])('a path parameter %j that would lead elsewhere is refused', async (id) => {
  await expect(client.get('/v1/models/{model_id}', { path: { model_id: id } })).rejects.toThrow(TypeError);
});

test('a problem arrives as one, with its headers and without the token', async () => {
  const problem = {
    type: 'about:blank',
    title: 'No',
    status: 409,
    code: 'conflict',
    detail: 'is in use',
    errors: [],
  };
  answer = (_, outgoing) => json(outgoing, 409, problem, { 'retry-after': '7' });
  const error = await client
    .delete('/v1/models/{model_id}', { path: { model_id: 'm' } })
    .catch((e: unknown) => e);
  expect(error).toBeInstanceOf(ProblemError);
  expect(error).toMatchObject({ problem, headers: { 'retry-after': '7' }, message: 'No: is in use' });
  expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('secret-token');
  expect(JSON.stringify((error as Error).cause)).not.toContain('secret-token');
});

test.each([
  ['a page of a proxy', 502, '<html>Bad gateway</html>', 'unexpected_answer'],
  ['JSON that is no problem', 500, '{"detail":"x"}', 'unexpected_answer'],
  ['a redirect, which is never followed', 302, '', 'unexpected_answer'],
])('%s becomes a problem', async (_, status, body, code) => {
  answer = (__, outgoing) => outgoing.writeHead(status, { location: 'http://127.0.0.1:9/' }).end(body);
  await expect(client.get('/v1/system')).rejects.toMatchObject({ problem: { code, status } });
});

test('nobody there, no answer in time, and an abort are told apart', async () => {
  const nobody = createClient<paths>({ baseUrl: 'http://127.0.0.1:1' });
  await expect(nobody.get('/v1/system')).rejects.toMatchObject({
    problem: { code: 'unreachable', status: 503 },
  });
  answer = () => undefined;
  await expect(client.get('/v1/system', { timeout: 50 })).rejects.toMatchObject({
    problem: { code: 'timeout', status: 504 },
  });
  const error = await client.get('/v1/system', { signal: AbortSignal.timeout(50) }).catch((e: unknown) => e);
  expect(isCancel(error)).toBe(true);
});

test('an answer without content is undefined', async () => {
  answer = (_, outgoing) => outgoing.writeHead(204).end();
  expect(await client.delete('/v1/models/{model_id}', { path: { model_id: 'm' } })).toBeUndefined();
});

test('links carry no token', () => {
  const url = client.url('/v1/models/{model_id}/download', {
    path: { model_id: 'a b' },
    query: { format: 'pt' },
  });
  expect(url).toBe(`${baseUrl}/v1/models/a%20b/download?format=pt`);
});

test('what the types forbid does not compile', async () => {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const source = join(root, 'tests/openapi/client.types.ts');
  const flags =
    '--noEmit --strict --skipLibCheck --exactOptionalPropertyTypes --module nodenext --target es2023 --types node';
  await promisify(execFile)(process.execPath, [tsc, ...flags.split(' '), source], { cwd: root });
});

test('an answer of lines is read as it comes, and left when nobody reads on', async () => {
  let closed = false;
  answer = (incoming, outgoing) => {
    incoming.resume();
    outgoing.on('close', () => {
      closed = true;
    });
    outgoing.writeHead(200, { 'content-type': 'application/x-ndjson' });
    outgoing.write('{"type":"begun","read":"é","prompt_tokens":1}\n{"type":"tok');
    setTimeout(() => outgoing.write('en","text":"x"}\n'), 5);
  };
  const seen: unknown[] = [];
  const path = '/v1/models/{model_id}/predict/stream';
  for await (const part of client.lines(path, { path: { model_id: 'm' }, body: { prompt: 'é' } })) {
    seen.push(part.type);
    if (seen.length === 2) break;
  }
  expect(seen).toEqual(['begun', 'token']);
  for (let tries = 0; !closed && tries < 1000; tries++) await new Promise((done) => setTimeout(done, 5));
  expect(closed).toBe(true);
});

test('a problem in the place of lines arrives as one', async () => {
  answer = (_, outgoing) =>
    json(outgoing, 409, { title: 'No', status: 409, code: 'not_runnable', detail: 'has no tokenizer' });
  const parts = client.lines('/v1/models/{model_id}/predict/stream', {
    path: { model_id: 'm' },
    body: { prompt: 'x' },
  });
  await expect(parts.next()).rejects.toMatchObject({ problem: { code: 'not_runnable' } });
});
