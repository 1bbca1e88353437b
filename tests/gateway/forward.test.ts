/** What the backend is sent, by a gateway before a backend that knows nothing and remembers everything. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type TestGateway, testGateway } from './fixtures.js';

let gateway: TestGateway;
let backend: Server;
let seen: (Pick<IncomingMessage, 'method' | 'url' | 'headers'> & { body: string })[] = [];

beforeAll(async () => {
  backend = createServer((request, response) => {
    const { method, url, headers } = request;
    const sent = { method, url, headers, body: '' };
    seen.push(sent);
    request.setEncoding('utf8').on('data', (text: string) => {
      sent.body += text;
    });
    request.on('end', () => response.writeHead(404).end());
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
    ['POST', '/v1/merges', { configuration: 'merge_method: linear' }, KEY],
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

describe('a merge configuration goes on as the text that it is', () => {
  const TEXT = 'merge_method: linear # naïve\nmodels: [{model: a}]\n';
  const typed = (type: string, body: string) => ({
    method: 'POST',
    headers: { 'content-type': type, 'idempotency-key': KEY },
    body,
  });

  test.each(['/v1/merges', '/v1/merges/forecast'])('%s', async (path) => {
    const asked = `${path}?name=ours&seed=7`;
    const answer = await gateway.ask(`/api${asked}`, typed('application/yaml; charset=utf-8', TEXT));
    expect(answer.status).toBe(404);
    expect(seen.filter(({ url }) => url === asked)).toMatchObject([
      { body: TEXT, headers: { 'content-type': 'application/yaml' } },
    ]);
  });

  test.each([
    ['a type that is not taken', '/v1/merges', 'text/plain', TEXT, 415],
    ['a parameter that there is not', '/v1/merges?nme=x', 'application/yaml', TEXT, 422],
    ['a seed that is no number', '/v1/merges?seed=x', 'application/yaml', TEXT, 422],
    ['no text', '/v1/merges', 'application/yaml', '', 422],
    ['more text than is read', '/v1/merges', 'application/yaml', '#'.repeat(262_145), 413],
    ['text where JSON is asked for', '/v1/pipelines', 'application/yaml', TEXT, 415],
  ])('%s', async (_what, path, type, body, status) => {
    expect((await gateway.ask(`/api${path}`, typed(type, body))).status).toBe(status);
    expect(seen.filter(({ method }) => method === 'POST')).toEqual([]);
  });
});
