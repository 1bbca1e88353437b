/** Keeps the backend running: starts it, learns its port, starts it again when it dies. */
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { Endpoint } from './api.js';
import { createBackoff } from './backoff.js';
import type { Clock } from './clock.js';
import { type Exit, endGroup, type GroupProcess, spawnGroup } from './process.js';
import { repeat } from './repeat.js';

export type BackendState =
  | { status: 'starting'; pid: number | null }
  | { status: 'up'; pid: number; baseUrl: string }
  /** `output`: the last lines of the life that ended, where it never was up. */
  | { status: 'down'; reason: string; output: readonly string[]; retryAt: number | null }
  | { status: 'external'; baseUrl: string };

export type Supervisor = {
  state(): BackendState;
  /** Where the backend is now; null unless it is up. */
  endpoint(): Endpoint | null;
  /** Times that it was started again. */
  restarts(): number;
  start(): void;
  /** Ends the whole process group; by force after the deadline. */
  stop(): Promise<void>;
  /** Returns what ends the listening. */
  onState(listener: (state: BackendState) => void): () => void;
};

export type SupervisorSettings = {
  /** Path of the Python interpreter, or its name in PATH. */
  python: string;
  /** Folder that holds the package `agent_forge`. */
  cwd: string;
  /** Where the backend keeps its database and models. */
  dataDirectory: string;
  env?: NodeJS.ProcessEnv;
  clock: Clock;
  log: Logger;
  limits?: Partial<Limits>;
};

export type Limits = {
  /** From the start to the ready line, ms. */
  readyMs: number;
  /** Time up after which the back-off begins anew, ms. */
  stableMs: number;
  firstBackoffMs: number;
  mostBackoffMs: number;
  /** For an orderly end, ms. */
  stopMs: number;
};

/** How many of its last lines are reported of a backend that did not start. */
const LAST_LINES = 20;
const LINE_CHARACTERS = 500;

const LIMITS: Limits = {
  readyMs: 120_000,
  stableMs: 30_000,
  firstBackoffMs: 250,
  mostBackoffMs: 30_000,
  stopMs: 8_000,
};

/** A backend that runs elsewhere: nothing is started or stopped. */
export function externalBackend(endpoint: Endpoint): Supervisor {
  return {
    state: () => ({ status: 'external', baseUrl: endpoint.baseUrl }),
    endpoint: () => endpoint,
    restarts: () => 0,
    start: () => undefined,
    stop: async () => undefined,
    onState: () => () => undefined,
  };
}

export function createSupervisor(settings: SupervisorSettings): Supervisor {
  const { clock, log } = settings;
  const limits = { ...LIMITS, ...settings.limits };
  const backoff = createBackoff({ first: limits.firstBackoffMs, most: limits.mostBackoffMs });
  const token = randomBytes(32).toString('base64url');
  const listeners = new Set<(state: BackendState) => void>();
  const ending = new AbortController();
  let state: BackendState = { status: 'down', reason: 'not started', output: [], retryAt: null };
  let starts = 0;
  let group: GroupProcess | null = null;
  let running: Promise<void> = Promise.resolve();

  function enter(next: BackendState): void {
    state = next;
    for (const listener of listeners) {
      try {
        listener(next);
      } catch (err) {
        log.error({ err }, 'backend: a listener of its state failed');
      }
    }
  }

  /** One life of the backend, from its start to its end. */
  async function live(): Promise<Exit & { wasReady: boolean; output: readonly string[] }> {
    starts++;
    let wasReady = false;
    const output: string[] = [];
    const late = new AbortController();
    const current = spawnGroup({
      command: settings.python,
      arguments: ['-m', 'agent_forge', 'serve', '--host', '127.0.0.1', '--port', '0', '--exit-on-stdin-eof'],
      cwd: settings.cwd,
      env: {
        ...process.env,
        ...settings.env,
        AGENT_FORGE_TOKEN: token,
        AGENT_FORGE_DATA: settings.dataDirectory,
        PYTHONUNBUFFERED: '1',
      },
      onLine(stream, line) {
        const ready = stream === 'stdout' && !wasReady ? readyLine(line) : null;
        if (!ready) {
          relay(log, line);
          if (!wasReady) remember(output, line);
          return;
        }
        wasReady = true;
        late.abort();
        if (!ending.signal.aborted) {
          enter({ status: 'up', pid: ready.pid, baseUrl: `http://127.0.0.1:${ready.port}` });
        }
      },
    });
    group = current;
    enter({ status: 'starting', pid: current.pid ?? null });
    void clock.sleep(limits.readyMs, late.signal).then(() => {
      if (late.signal.aborted) return;
      log.error({ readyMs: limits.readyMs }, 'backend: no ready line in time');
      current.signal('SIGKILL');
    });
    const exit = await current.exited;
    late.abort();
    group = null;
    // Workers of a backend that died have nobody to report to; runs go on from their checkpoints.
    if (!ending.signal.aborted) current.signal('SIGKILL');
    // The last lines are still in the pipe when the process has gone.
    if (!wasReady) await current.closed;
    return { ...exit, wasReady, output: wasReady ? [] : output };
  }

  /** One life, and the wait for the next. */
  async function liveAndWait(): Promise<void> {
    const began = clock.now();
    const exit = await live();
    if (ending.signal.aborted) return;
    if (exit.wasReady && clock.now() - began >= limits.stableMs) backoff.reset();
    const waitMs = backoff.next();
    const reason = reasonOf(exit);
    const { output } = exit;
    log.error({ reason, retryMs: waitMs }, 'backend: ended');
    enter({ status: 'down', reason, output, retryAt: clock.now() + waitMs });
    await clock.sleep(waitMs, ending.signal);
  }

  async function keepRunning(): Promise<void> {
    await repeat({
      name: 'backend: keeping it running',
      step: liveAndWait,
      clock,
      log,
      signal: ending.signal,
    });
    enter({ status: 'down', reason: 'stopped', output: [], retryAt: null });
  }

  return {
    state: () => state,
    endpoint: () => (state.status === 'up' ? { baseUrl: state.baseUrl, token } : null),
    restarts: () => Math.max(0, starts - 1),
    start: () => {
      running = keepRunning();
    },
    stop: async () => {
      ending.abort();
      if (group) await endGroup(group, limits.stopMs, clock);
      await running;
    },
    onState: (listener) => {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}

/** The last few lines, each as a person reads it. */
function remember(output: string[], line: string): void {
  const { message } = (parsed(line) ?? {}) as { message?: unknown };
  const text = typeof message === 'string' ? message : line;
  output.push(text.slice(0, LINE_CHARACTERS));
  if (output.length > LAST_LINES) output.shift();
}

function readyLine(line: string): { port: number; pid: number } | null {
  const found = parsed(line) as { ready?: unknown; port?: unknown; pid?: unknown } | null;
  if (found?.ready !== true || typeof found.port !== 'number' || typeof found.pid !== 'number') return null;
  return { port: found.port, pid: found.pid };
}

/** The backend's own lines are JSON with a level; what else it prints (a traceback) is logged as it is. */
function relay(log: Logger, line: string): void {
  const entry = parsed(line) as { level?: unknown; message?: unknown; time?: unknown } | null;
  if (entry === null || typeof entry.message !== 'string') {
    log.info({ source: 'backend' }, line);
    return;
  }
  // `time` is when the gateway logs the line, `at` when the backend wrote it.
  const { level, message, time: at, ...rest } = entry;
  const name = String(level).toLowerCase();
  const severe = name === 'error' || name === 'critical' ? 'error' : name === 'warning' ? 'warn' : 'info';
  log[severe]({ source: 'backend', at, ...rest }, message as string);
}

function parsed(line: string): object | null {
  if (!line.startsWith('{')) return null;
  try {
    return JSON.parse(line) as object;
  } catch {
    return null;
  }
}

function reasonOf({ code, signal, error }: Exit): string {
  if (signal) return `killed by ${signal}`;
  if (code !== null) return `exited with code ${code}`;
  return error?.message ?? 'could not be started';
}
