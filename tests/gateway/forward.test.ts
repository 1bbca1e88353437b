/** What the backend is sent, by a gateway before a backend that knows nothing and remembers everything. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type TestGateway, testGateway } from './fixtures.js';

let gateway: TestGateway;
let backend: Server;
let seen: Pick<IncomingMessage, 'method' | 'url' | 'headers'>[] = [];

beforeAll(async () => {
  backend = createServer((request, response) => {
    const { method, url, headers } = request;
    seen.push({ method, url, headers });
    request.resume();
    response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  await new Promise((done) => backend.once('listening', done));
  const { port } = backend.address() as AddressInfo;
  gateway = await testGateway({
    BACKEND_URL: `http://127.0.0.1:${port}`,
    BACKEND_TOKEN: 'the-token-of-the-backend',
  });
});
beforeEach(() => {
  seen = [];
});
afterAll(async () => {
  await gateway?.end();
  backend?.close();
});

const KEY = 'once';
describe('the caller’s Idempotency-Key goes with what changes something', () => {
  test.each([
    ['POST', '/v1/cognate/runs', {}, KEY],
    ['POST', '/v1/evomerge/runs', { parents: ['a', 'b'] }, KEY],
    ['POST', '/v1/pipelines', {}, KEY],
    ['POST', '/v1/runs/x/pause', undefined, KEY],
    ['POST', '/v1/runs/x/resume', undefined, KEY],
    ['POST', '/v1/runs/x/cancel', undefined, KEY],
    ['POST', '/v1/runs/x/retry', undefined, KEY],
    ['POST', '/v1/candidates/x/materialize', undefined, KEY],
    ['DELETE', '/v1/models/x', undefined, KEY],
    ['POST', '/v1/imports/x/finish', undefined, KEY],
    ['DELETE', '/v1/imports/x', undefined, KEY],
    ['POST', '/v1/cognate/forecast', {}, undefined],
    ['POST', '/v1/models/x/verify', undefined, undefined],
    ['GET', '/v1/runs/x/report', undefined, undefined],
  ])('%s %s', async (method, path, body, key) => {
    const headers = { 'idempotency-key': KEY };
    expect((await gateway.ask(`/api${path}`, { method, body, headers })).status).toBe(404);
    const sent = seen.filter((request) => request.method === method && request.url === path);
    expect(sent.map((request) => request.headers['idempotency-key'])).toEqual([key]);
    expect(sent[0]?.headers.authorization).toBe('Bearer the-token-of-the-backend');
  });
});
