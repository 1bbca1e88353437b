/** Offers to change the protocol, byte for byte on raw connections. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { io } from 'socket.io-client';
import { nobody, type TestGateway, testGateway } from './fixtures.js';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await testGateway(await nobody());
});
afterAll(() => gateway.end());

/** Sends the parts, each when `more` of what has come holds; resolves with all when the server or `enough` ends it. */
function exchange(
  parts: string[],
  enough: (text: string) => boolean = () => false,
  more: (text: string, sent: number) => boolean = () => true,
): Promise<string> {
  const { hostname, port } = new URL(gateway.url);
  return new Promise((resolve, reject) => {
    let text = '';
    let sent = 0;
    const socket = connect(Number(port), hostname, async () => {
      for (const part of parts) {
        while (!more(text, sent)) await once(socket, 'data');
        socket.write(part);
        sent++;
        await new Promise((done) => setTimeout(done, 20));
      }
    });
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (enough(text)) socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}

const statusesIn = (text: string) =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));
const H2C =
  'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n';
const head = (method: string, path: string, headers = '') =>
  `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${gateway.token}\r\n${headers}`;
const JSON_TYPE = 'Content-Type: application/json\r\n';
const LAST = 'Connection: close\r\n';

describe.each([
  ['h2c', H2C],
  ['a protocol that nobody knows', 'Connection: upgrade\r\nUpgrade: foo/1\r\n'],
  ['several', 'Connection: keep-alive, Upgrade\r\nUpgrade: h2c, foo\r\n'],
])('an offer of %s', (_what, offer) => {
  test('with GET is answered, and the connection goes on', async () => {
    const text = await exchange(
      [
        `${head('GET', '/api/v1/runs', offer)}\r\n`,
        `${head('GET', '/healthz', offer)}\r\n`,
        `${head('GET', '/api/v1/nothing', LAST)}\r\n`,
      ],
      undefined,
      (came, sent) => statusesIn(came).length === sent,
    );
    expect(statusesIn(text)).toEqual([200, 200, 404]);
    expect(text).toContain('"items":[]');
  });

  test('two requests at once are answered in order', async () => {
    const text = await exchange([
      `${head('GET', '/api/v1/runs', offer)}\r\n${head('GET', '/api/v1/nothing', LAST)}\r\n`,
    ]);
    expect(statusesIn(text)).toEqual([200, 404]);
  });

  test.each([
    ['with its head', (body: string) => [body]],
    ['after its head', (body: string) => ['', body.slice(0, 5), body.slice(5)]],
  ])('with POST, the body %s', async (_when, parts) => {
    const body = '{"preset":"nan"}';
    const [first = '', ...later] = parts(body);
    const start = head(
      'POST',
      '/api/v1/cognate/forecast',
      `${offer}${JSON_TYPE}Content-Length: ${body.length}\r\n`,
    );
    const text = await exchange([`${start}\r\n${first}`, ...later], (found) =>
      found.includes('"errors_omitted"'),
    );
    expect(statusesIn(text)).toEqual([422]);
    expect(text).toContain('"field":"preset"');
  });

  test('with a body in chunks', async () => {
    const start = head(
      'POST',
      '/api/v1/cognate/forecast',
      `${offer}${JSON_TYPE}Transfer-Encoding: chunked\r\n`,
    );
    const chunks = ['5\r\n{"pre\r\n', 'b\r\nset":"nan"}\r\n', '0\r\n\r\n'];
    const text = await exchange([`${start}\r\n`, ...chunks], (found) => found.includes('"errors_omitted"'));
    expect(statusesIn(text)).toEqual([422]);
  });

  test('at the path of the sockets', async () => {
    const text = await exchange([`${head('GET', '/socket.io/?EIO=4&transport=polling', offer + LAST)}\r\n`]);
    expect(statusesIn(text)).toEqual([200]);
    expect(text).toContain('"sid"');
  });
});

const WEBSOCKET =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

test.each([
  ['/api/v1/sockets', 404],
  ['/socket.io/x.js', 400],
  ['/socket.io/?EIO=4&transport=polling', 200],
  ['/socket.io/?EIO=4&transport=nothing', 400],
])('a WebSocket at %s is answered %i, and the connection ends', async (path, status) => {
  expect(statusesIn(await exchange([`${head('GET', path, WEBSOCKET)}\r\n`]))).toEqual([status]);
});

test('a WebSocket of socket.io is one', async () => {
  const socket = io(gateway.url, {
    auth: { token: gateway.token },
    transports: ['websocket'],
    forceNew: true,
  });
  try {
    await new Promise<void>((done, fail) => {
      socket.once('connect', done);
      socket.once('connect_error', fail);
    });
    const ack: unknown = await socket.emitWithAck('subscribe', { topic: 'nothing' });
    expect(ack).toMatchObject({ ok: false, problem: { code: 'invalid_request' } });
    expect(socket.io.engine.transport.name).toBe('websocket');
  } finally {
    socket.close();
  }
});
