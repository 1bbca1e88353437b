/** The process as a person starts it: what it prints, and when it gives up. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { answerStarting } from '../../gateway/src/edge/starting.js';
import { temporaryFolder } from '../backend/fixtures.js';
import { invalid, nobody, testGateway } from './fixtures.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

type Ended = { code: number | null; stdout: string; stderr: string };

/** Runs the gateway until it ends, or has printed what matches. */
async function run(environment: Record<string, string>, until?: RegExp): Promise<Ended> {
  const child = spawn(
    process.execPath,
    ['--import', here('../backend/typescript.mjs'), here('../../gateway/src/main.ts')],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_OPTIONS: '', PORT: '0', DATA_DIR: folder.path, ...environment },
    },
  );
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text: Buffer) => {
    stdout += text.toString();
    if (until?.test(stdout)) child.kill('SIGTERM');
  });
  child.stderr.on('data', (text: Buffer) => {
    stderr += text.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

/** What is not a line of the log. */
const said = (stderr: string) =>
  stderr
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('{'))
    .join('\n');

test('a port that is taken is told before anything else is started', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const { code, stdout, stderr } = await run({ PORT: String(port) });
  other.close();
  expect([code, stdout]).toEqual([1, '']);
  expect(said(stderr)).toBe(
    `The gateway could not start: PORT: another process listens on 127.0.0.1:${port}. Stop it, or set PORT to another port (0 takes any free one).`,
  );
  expect(existsSync(join(folder.path, 'mirror'))).toBe(false);
});

describe('a backend that cannot start', () => {
  test('that says nothing', async () => {
    const { code, stdout, stderr } = await run({ PYTHON: '/bin/false' });
    expect([code, stdout]).toEqual([1, '']);
    expect(said(stderr).split('\n')).toEqual([
      'The backend did not start and is tried again: it exited with code 1, and wrote nothing.',
      'The gateway could not start: the backend did not start in 5 attempts; the last exited with code 1, and wrote nothing.',
    ]);
  });

  test('its last lines are told, first and last', async () => {
    const python = join(folder.path, 'python');
    await writeFile(python, '#!/bin/sh\nseq 1 100\necho "ImportError: no module named torch" >&2\nexit 3\n');
    await chmod(python, 0o700);
    const { code, stdout, stderr } = await run({ PYTHON: python });
    expect([code, stdout]).toEqual([1, '']);
    expect(said(stderr).match(/exited with code 3; it wrote:/g)).toHaveLength(2);
    expect(said(stderr).match(/^ {2}ImportError: no module named torch$/gm)).toHaveLength(2);
    expect(said(stderr)).toContain('\n  100\n');
    expect(said(stderr)).not.toContain('\n  80\n');
  });
});

test('a token that was given is printed nowhere', async () => {
  const given = 'a-token-that-somebody-gave-by-hand';
  const { stdout, stderr } = await run(
    { ...(await nobody()), GATEWAY_TOKEN: given, LOG_LEVEL: 'trace' },
    /ready/,
  );
  expect(stdout).toMatch(/Agent Forge is ready: http:\/\/127\.0\.0\.1:\d+\/ \(token: GATEWAY_TOKEN\)/);
  expect(stdout + stderr).not.toContain(given);
});

test.each([
  [
    'files that are no database',
    async (mirror: string) => writeFile(join(mirror, 'PG_VERSION'), 'garbage\n'),
  ],
  [
    'a file of control that is cut',
    async (mirror: string) => {
      await writeFile(join(mirror, 'PG_VERSION'), '17\n');
      await mkdir(join(mirror, 'global'));
      await writeFile(join(mirror, 'global', 'pg_control'), 'x');
    },
  ],
])('a mirror of %s is set aside and built anew', async (_what, damage) => {
  const mirror = join(folder.path, 'mirror');
  await mkdir(mirror);
  await damage(mirror);
  const lines: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
  const gateway = await testGateway(await nobody(), folder.path, log);
  expect((await gateway.ask('/api/v1/runs')).status).toBe(200);
  await gateway.end({ keep: true });
  const aside = (await readdir(folder.path)).filter((name) => name.startsWith('mirror.damaged-'));
  expect(aside).toHaveLength(1);
  expect(await readdir(join(folder.path, aside[0] ?? ''))).toContain('PG_VERSION');
  expect(lines.filter((line) => line.includes('set aside'))).toHaveLength(1);
});

test('while it starts, it says so', async () => {
  const server = createServer(answerStarting).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  expect(await (await fetch(`${url}/healthz`)).json()).toEqual({ status: 'ok' });
  const answer = await fetch(`${url}/api/v1/runs`, { method: 'POST', body: 'x' });
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
  const problem: unknown = await answer.json();
  expect(invalid('Problem', problem)).toBeNull();
  expect(problem).toMatchObject({ code: 'starting' });
  server.close();
});
