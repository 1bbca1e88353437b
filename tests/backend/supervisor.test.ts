import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createBackendApi } from '../../gateway/src/backend/api.js';
import { externalBackend, type Supervisor } from '../../gateway/src/backend/supervisor.js';
import { ProblemError } from '../../openapi/client.js';
import { eventually, stateOf, superviseBackend, temporaryFolder } from './fixtures.js';

/** Whether a process runs; a zombie does not. */
function runs(pid: number): boolean {
  if (!existsSync(`/proc/${pid}/stat`)) return false;
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2)[0] !== 'Z';
}

/** Processes of a group that still run. */
function membersOf(group: number): number[] {
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  return pids.filter((pid) => groupOf(pid) === group && runs(pid));
}

/** Null where it has just ended. */
function groupOf(pid: number): number | null {
  if (!existsSync(`/proc/${pid}/stat`)) return null;
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]);
}

describe('the supervised backend', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let supervisor: Supervisor;
  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(async () => {
    await supervisor?.stop();
    await folder.remove();
  });

  test('starts, answers only with the token, and is started again when it is killed', async () => {
    supervisor = superviseBackend(folder.path);
    const api = createBackendApi(supervisor.endpoint);
    await expect(api.get('/v1/system')).rejects.toMatchObject({
      problem: { code: 'backend_unavailable', status: 503 },
    });

    supervisor.start();
    expect(supervisor.state().status).toBe('starting');
    const first = await stateOf(supervisor, 'up');
    const { epoch } = await api.get('/v1/system');
    const open = await fetch(`${first.baseUrl}/v1/system`);
    expect(open.status).toBe(401);

    const seen: string[] = [];
    supervisor.onState(({ status }) => seen.push(status));
    process.kill(first.pid, 'SIGKILL');
    const down = await stateOf(supervisor, 'down');
    expect(down.reason).toBe('killed by SIGKILL');
    expect(supervisor.endpoint()).toBeNull();
    const second = await stateOf(supervisor, 'up');
    expect(seen).toEqual(['down', 'starting', 'up']);
    expect(second.pid).not.toBe(first.pid);
    expect(supervisor.restarts()).toBe(1);
    expect((await api.get('/v1/system')).epoch).toBe(epoch);

    await supervisor.stop();
    expect(supervisor.state()).toEqual({ status: 'down', reason: 'stopped', output: [], retryAt: null });
    expect(membersOf(second.pid)).toEqual([]);
  });

  test('leaves no process behind when its parent is killed', async () => {
    const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
    const parent = spawn(
      process.execPath,
      ['--import', here('typescript.mjs'), here('parent.ts'), folder.path],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, NODE_OPTIONS: '' },
      },
    );
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const { pid } = JSON.parse(line.toString()) as { pid: number };
    expect(runs(pid)).toBe(true);
    parent.kill('SIGKILL');
    await eventually(
      () => membersOf(pid),
      (members) => members.length === 0,
    );
  });

  test('waits longer after each failure and says why', async () => {
    supervisor = superviseBackend(folder.path, { python: '/nonexistent/python' });
    const waits: number[] = [];
    supervisor.onState((state) => {
      if (state.status === 'down' && state.retryAt) waits.push(state.retryAt - Date.now());
    });
    supervisor.start();
    const down = await stateOf(supervisor, 'down', ({ retryAt }) => retryAt !== null);
    expect(down.reason).toContain('ENOENT');
    await eventually(
      () => waits.length,
      (count) => count >= 3,
    );
    expect((waits[1] ?? 0) > (waits[0] ?? 0) && (waits[2] ?? 0) > (waits[1] ?? 0)).toBe(true);
  });

  test('a start that never gets ready is ended', async () => {
    supervisor = superviseBackend(folder.path, {
      python: fileURLToPath(new URL('silent.sh', import.meta.url)),
      limits: { readyMs: 200 },
    });
    supervisor.start();
    const down = await stateOf(supervisor, 'down', ({ retryAt }) => retryAt !== null);
    expect(down.reason).toBe('killed by SIGKILL');
  });
});

test('an external backend is neither started nor stopped', async () => {
  const endpoint = { baseUrl: 'http://127.0.0.1:1', token: 'x' };
  const supervisor = externalBackend(endpoint);
  supervisor.start();
  expect(supervisor.state()).toEqual({ status: 'external', baseUrl: endpoint.baseUrl });
  const call = createBackendApi(supervisor.endpoint).get('/v1/system');
  await expect(call).rejects.toThrow(ProblemError);
  await expect(call).rejects.toMatchObject({ problem: { code: 'unreachable', status: 503 } });
  await supervisor.stop();
});
