/** The real backend, in a data folder of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino, { type Logger } from 'pino';
import { systemClock } from '../../gateway/src/backend/clock.js';
import {
  type BackendState,
  createSupervisor,
  type Limits,
  type Supervisor,
} from '../../gateway/src/backend/supervisor.js';
import { root } from '../../gateway/src/root.js';

export const PYTHON = process.env.PYTHON ?? join(root, '.venv/bin/python');
export const quiet: Logger = pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' });

export async function temporaryFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'forge-test-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

export function superviseBackend(
  dataDirectory: string,
  { python = PYTHON, limits = {} }: { python?: string; limits?: Partial<Limits> } = {},
): Supervisor {
  return createSupervisor({
    python,
    cwd: join(root, 'python-backend'),
    dataDirectory,
    clock: systemClock,
    log: quiet,
    limits: { firstBackoffMs: 50, ...limits },
  });
}

/** Resolves with the first state, from now on, that is asked for. */
export function stateOf<S extends BackendState['status']>(
  supervisor: Supervisor,
  status: S,
  wanted: (state: Extract<BackendState, { status: S }>) => boolean = () => true,
): Promise<Extract<BackendState, { status: S }>> {
  return new Promise((resolve) => {
    const look = (state: BackendState): boolean => {
      const found = state as Extract<BackendState, { status: S }>;
      if (state.status !== status || !wanted(found)) return false;
      end();
      resolve(found);
      return true;
    };
    const end = supervisor.onState(look);
    look(supervisor.state());
  });
}

/** A limit on hanging, not on speed: a busy machine may take a hundred times as long as a quiet one. */
export const PATIENCE_MS = 600_000;

/** Waits until it holds; fails, with what was last seen, where it seems that it never will. */
export async function eventually<T>(read: () => T | Promise<T>, holds: (value: T) => boolean): Promise<T> {
  const until = Date.now() + PATIENCE_MS;
  while (true) {
    const value = await read();
    if (holds(value)) return value;
    if (Date.now() > until) throw new Error(`not in ${PATIENCE_MS} ms; last seen: ${JSON.stringify(value)}`);
    await systemClock.sleep(20);
  }
}
