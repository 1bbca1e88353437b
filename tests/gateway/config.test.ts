import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ConfigError, parseConfig, settings } from '../../gateway/src/config.js';
import { allowList } from '../../gateway/src/edge/allow-list.js';
import { traceOf } from '../../gateway/src/middleware/trace.js';
import { bearerOf, loadToken, tokenChecker } from '../../gateway/src/token.js';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'forge-config-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe('configuration', () => {
  test('every setting has a meaning, and its default is what an empty environment gives', () => {
    for (const { name, meaning } of settings) expect([name, meaning.length > 10]).toEqual([name, true]);
    const config = parseConfig({ DATA_DIR: directory });
    expect(config).toMatchObject({ host: '127.0.0.1', port: 4400, external: null, shutdownTimeout: 10_000 });
    const defaults = Object.fromEntries(settings.map((row) => [row.name, row.default]));
    expect(parseConfig({ ...defaults, DATA_DIR: directory })).toEqual(config);
  });

  test.each([
    [{ PORT: '70000' }, /PORT/],
    [{ PORT: 'http' }, /PORT/],
    [{ BACKEND_URL: 'localhost:8000' }, /BACKEND_URL/],
    [{ BACKEND_URL: 'http://localhost:8000' }, /BACKEND_TOKEN/],
    [{ DATABASE_URL: 'mysql://x' }, /DATABASE_URL/],
    [{ GATEWAY_TOKEN: 'short' }, /GATEWAY_TOKEN/],
    [{ LOG_LEVEL: 'loud' }, /LOG_LEVEL/],
    [{ RATE_LIMIT: '-1' }, /RATE_LIMIT/],
    [{ DATA_DIR: '/dev/null/x' }, /DATA_DIR/],
    [{ DATA_DIR: '/proc/nobody/x' }, /DATA_DIR/],
    [{ PORT: 'x', LOG_LEVEL: 'y' }, /PORT[\s\S]*LOG_LEVEL/],
  ])('%j stops the start', (environment, words) => {
    expect(() => parseConfig({ DATA_DIR: directory, ...environment })).toThrow(ConfigError);
    expect(() => parseConfig({ DATA_DIR: directory, ...environment })).toThrow(words);
  });
});

describe('token', () => {
  test('made once, also by two at the same time, for its owner alone', async () => {
    const [a, b] = await Promise.all([loadToken(directory), loadToken(directory)]);
    expect(a).toBe(b);
    expect(await loadToken(directory)).toBe(a);
    expect((await stat(join(directory, 'gateway.token'))).mode & 0o777).toBe(0o600);
  });

  test('a file that holds something else is an error, not a new token', async () => {
    const other = await mkdtemp(join(directory, 'other-'));
    await writeFile(join(other, 'gateway.token'), 'hm');
    await expect(loadToken(other)).rejects.toThrow(/holds no token/);
  });

  test.each([
    ['Bearer abc', 'abc'],
    ['bearer abc', 'abc'],
    ['Basic abc', undefined],
    ['Bearer  abc', undefined],
    ['Bearer', undefined],
    [undefined, undefined],
  ])('header %j', (header, token) => {
    expect(bearerOf(header)).toBe(token);
  });

  test('only the whole token fits', () => {
    const check = tokenChecker('a'.repeat(30));
    const given = ['a'.repeat(30), 'a'.repeat(29), 'a'.repeat(31), '', undefined];
    expect(given.map(check)).toEqual([true, false, false, false, false]);
  });
});

test.each([
  [
    { publicUrl: 'https://forge.example:8443' },
    'forge.example:8443',
    'https://forge.example:8443',
    [true, true],
  ],
  [{ allowedHosts: ['box.local'] }, 'box.local:4400', 'http://box.local:4400', [true, true]],
  [{ allowedOrigins: ['http://localhost:5173'] }, 'localhost:4400', 'http://localhost:5173', [true, true]],
  [{ host: '0.0.0.0' }, '192.168.1.5:4400', undefined, [false, true]],
  [{}, undefined, undefined, [false, true]],
  [{}, 'localhost', 'http://localhost', [true, true]],
  [{}, 'localhost', 'http://localhost.evil.example', [true, false]],
])('%j allows host %s and origin %s: %j', (fields, host, origin, want) => {
  const list = allowList({
    host: '127.0.0.1',
    publicUrl: undefined,
    allowedHosts: [],
    allowedOrigins: [],
    ...fields,
  });
  expect([list.host(host), list.origin(origin, host)]).toEqual(want);
});

test.each([
  ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00', '0af7651916cd43dd8448eb211c80319c', '00'],
  ['00-00000000000000000000000000000000-b7ad6b7169203331-01', null, '01'],
  ['ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', null, '01'],
  ['nonsense', null, '01'],
  [undefined, null, '01'],
])('traceparent %s', (header, id, flags) => {
  const trace = traceOf(header);
  if (id === null) expect(header ?? '').not.toContain(trace.id);
  else expect(trace.id).toBe(id);
  expect(trace.traceparent).toMatch(new RegExp(`^00-${trace.id}-[0-9a-f]{16}-${flags}$`));
});
