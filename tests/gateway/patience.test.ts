/** What is sent slowly, and who connects without a token. */
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { io } from 'socket.io-client';
import { addressOf, createAdmission } from '../../gateway/src/realtime/admission.js';
import { eventually } from '../backend/fixtures.js';
import { nobody, type TestGateway, testGateway } from './fixtures.js';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await testGateway({ ...(await nobody()), REQUEST_TIMEOUT: '1', RATE_LIMIT: '60' });
});
afterAll(() => gateway.end());

type Slow = { text: string; closed: boolean; socket: Socket };

/** Sends the head, then a byte of the body every 100 ms. */
function dribble(path: string, headers: string[], method = 'POST'): Slow {
  const { hostname, port } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  const slow: Slow = { text: '', closed: false, socket };
  socket.write(
    [`${method} ${path} HTTP/1.1`, 'Host: localhost', 'Content-Length: 100000', ...headers, '', ''].join(
      '\r\n',
    ),
  );
  const timer = setInterval(() => socket.write('['), 100);
  socket.on('data', (chunk) => {
    slow.text += chunk.toString();
  });
  // Written after the other side has closed.
  socket.on('error', () => undefined);
  socket.on('close', () => {
    clearInterval(timer);
    slow.closed = true;
  });
  return slow;
}

describe('a body that does not arrive in time', () => {
  const authorization = () => `Authorization: Bearer ${gateway.token}`;

  test('of JSON: 408, and the connection ends', async () => {
    const slow = dribble('/api/v1/cognate/forecast', [authorization(), 'Content-Type: application/json']);
    await eventually(() => slow.closed, Boolean);
    expect(slow.text).toMatch(/^HTTP\/1\.1 408 /);
    expect(slow.text).toContain('"code":"request_timeout"');
  });

  test.each([
    ['that nobody reads', '/'],
    ['of who has no token', '/api/v1/cognate/forecast'],
    ['of a file of who has no token', '/api/v1/models/import?name=x'],
    ['of a path of sockets', '/socket.io/?EIO=4&transport=polling'],
  ])('%s: answered, then the connection ends', async (_what, path) => {
    const slow = dribble(path, ['Content-Type: application/json']);
    await eventually(() => slow.closed, Boolean);
    expect(slow.text).toMatch(/^HTTP\/1\.1 4\d\d /);
  });

  test.each([
    ['POST', '/api/v1/models/import?name=x'],
    ['PUT', '/api/v1/imports/x/files/model.safetensors?offset=0'],
  ])('of a file, %s: it has its time', async (method, path) => {
    const other = dribble('/api/v1/cognate/forecast', [authorization(), 'Content-Type: application/json']);
    const file = dribble(path, [authorization(), 'Content-Type: application/octet-stream'], method);
    await eventually(() => other.closed, Boolean);
    // Nobody runs the backend: whatever ends it, it is not the clock.
    expect(file.text).not.toMatch(/408/);
    file.socket.destroy();
  });
});

describe('a socket that shows no token', () => {
  test('is closed', async () => {
    const { hostname, port } = new URL(gateway.url);
    const socket = connect(Number(port), hostname);
    let closed = false;
    socket.on('close', () => {
      closed = true;
    });
    socket.resume();
    const began = performance.now();
    socket.write(
      'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    await eventually(() => closed, Boolean);
    expect(performance.now() - began).toBeGreaterThan(4000);
  });

  test('by polling, too', async () => {
    const url = `${gateway.url}/socket.io/?EIO=4&transport=polling`;
    const { sid } = JSON.parse((await (await fetch(url)).text()).slice(1)) as { sid: string };
    const text = await (await fetch(`${url}&sid=${sid}`)).text();
    expect(text).toBe('1');
    expect((await fetch(`${url}&sid=${sid}`)).status).toBe(400);
  });

  test('with one, it stays', async () => {
    const socket = io(gateway.url, {
      auth: { token: gateway.token },
      transports: ['websocket'],
      forceNew: true,
    });
    await new Promise<void>((done) => socket.once('connect', done));
    await new Promise((done) => setTimeout(done, 6000));
    expect(socket.connected).toBe(true);
    socket.close();
  });
});

test('handshakes count as requests of their address', async () => {
  const statuses = new Set<number>();
  for (let index = 0; index < 61; index++) {
    const answer = await fetch(`${gateway.url}/socket.io/?EIO=4&transport=polling`);
    statuses.add(answer.status);
    await answer.body?.cancel();
  }
  expect([...statuses]).toEqual([200, 403]);
  expect((await gateway.ask('/api/v1/runs')).status).toBe(429);
});

describe('connections without a token', () => {
  test('are bounded for each address and in all', () => {
    const admission = createAdmission({ perAddress: 2, inAll: 3 });
    const first = admission.opened('a');
    admission.opened('a');
    expect([admission.admits('a'), admission.admits('b')]).toEqual([false, true]);
    const third = admission.opened('b');
    expect([admission.admits('a'), admission.admits('b'), admission.admits('c')]).toEqual([
      false,
      false,
      false,
    ]);
    third.done();
    third.done();
    expect([admission.admits('a'), admission.admits('b')]).toEqual([false, true]);
    first.done();
    expect(admission.admits('a')).toBe(true);
    expect(admission.waiting()).toBe(1);
  });

  test.each([
    ['nobody is trusted', false, '1.2.3.4, 5.6.7.8', '9.9.9.9'],
    ['the proxy adds where it was asked from', true, '1.2.3.4, 5.6.7.8', '5.6.7.8'],
    ['the proxy says nothing', true, undefined, '9.9.9.9'],
  ])('%s', (_what, trusted, forwarded, address) => {
    const request = { headers: { 'x-forwarded-for': forwarded }, socket: { remoteAddress: '9.9.9.9' } };
    expect(addressOf(request as never, trusted)).toBe(address);
  });
});
