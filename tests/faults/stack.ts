/** The product as `npm start` runs it, in processes that can be killed and come back at the same address. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { root } from '../../gateway/src/root.js';
import { type Client, createClient } from '../../openapi/client.js';
import type { paths } from '../../openapi/gateway.js';
import { eventually, PYTHON } from '../backend/fixtures.js';

export const VICTIMS = ['worker', 'backend', 'gateway', 'all'] as const;
export type Victim = (typeof VICTIMS)[number];
/** What a test does to every Python process below the gateway: see python-backend/tests/faults/injected. */
export type Injection = { slow_seconds?: number; forget?: 'data_order' | 'moments' };

const INJECTED = join(root, 'python-backend/tests/faults/injected');

export type Stack = Awaited<ReturnType<typeof startStack>>;

export async function startStack(injection: Injection = {}, environment: Record<string, string> = {}) {
  const data = await mkdtemp(join(tmpdir(), 'forge-faults-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let gateway = launch();
  await ready(gateway);
  const token = (await readFile(join(data, 'gateway.token'), 'utf8')).trim();
  const api: Client<paths> = createClient<paths>({ baseUrl: url, token });
  let known = await eventually(pids, ({ backend, workers }) => backend !== null && workers.length > 0);

  function launch(): ChildProcess {
    return spawn(process.execPath, [join(root, 'gateway/dist/gateway/src/main.js')], {
      cwd: root,
      env: {
        ...process.env,
        DATA_DIR: data,
        PORT: String(port),
        PYTHON,
        LOG_LEVEL: 'warn',
        PYTHONPATH: INJECTED,
        AGENT_TEST_INJECTION: JSON.stringify(injection),
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  async function pids(): Promise<{ backend: number | null; workers: number[] }> {
    const system = await api.get('/api/v1/system');
    return { backend: system.gateway.pid, workers: system.backend?.workers.map(({ pid }) => pid) ?? [] };
  }

  return {
    url,
    token,
    api,
    data,
    /** Asks which processes there are, so that a kill need not wait for the answer. */
    async look(): Promise<void> {
      known = await pids();
    },
    /** False where the victim was gone already. Resolves when what the test itself has to start again is ready. */
    async kill(victim: Victim): Promise<boolean> {
      const { backend, workers } = known;
      const own = gateway;
      const targets =
        victim === 'worker'
          ? workers
          : victim === 'backend'
            ? [backend]
            : victim === 'gateway'
              ? [own.pid]
              : [own.pid, backend, ...workers];
      const hit = targets.map((pid) => killed(pid)).some(Boolean);
      if (victim === 'gateway' || victim === 'all') {
        if (own.exitCode === null && own.signalCode === null) await once(own, 'exit');
        gateway = launch();
        await ready(gateway);
      }
      return hit;
    },
    async stop(): Promise<void> {
      if (gateway.exitCode === null && gateway.signalCode === null) {
        const ended = once(gateway, 'exit');
        gateway.kill('SIGTERM');
        await ended;
      }
      await rm(data, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    },
  };
}

/** False where it was gone already. */
function killed(pid: number | null | undefined): boolean {
  if (!pid) return false;
  try {
    return process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function ready(gateway: ChildProcess): Promise<void> {
  const { stdout, stderr } = gateway;
  if (!stdout || !stderr) throw new Error('the gateway has no pipes');
  let log = '';
  stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-4000);
    if (process.env.TEST_LOG_LEVEL) process.stderr.write(text);
  });
  await new Promise<void>((found, failed) => {
    createInterface({ input: stdout }).on('line', (line) => {
      if (line.includes('is ready')) found();
    });
    gateway.once('exit', (code) => failed(new Error(`the gateway ended with ${code}:\n${log}`)));
  });
}
