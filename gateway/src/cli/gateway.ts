import { spawn } from 'node:child_process';
import { fchmodSync, openSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { writableDirectory } from '../config.js';
import { root } from '../root.js';
import { UsageError } from './arguments.js';
import type { S } from './contract.js';

const PROBE_TIMEOUT_MS = 2_000;
const POLL_MS = 100;
const START_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 20_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const INTERRUPTED = 130;

export type Gateway = {
  url: string;
  token: string;
  /** Whether this command started it. */
  own: boolean;
  /** Ends it, if this command started it. */
  stop(): Promise<void>;
};

/** What a running gateway leaves in DATA_DIR for programs on the same machine. */
type Address = { url: string; pid: number };

/**
 * A backend reads `file:` data only from below its roots. One that is started for this command may read what the
 * command names; one that runs already keeps its own.
 */
function withRoots(environment: NodeJS.ProcessEnv, folders: string[]): NodeJS.ProcessEnv {
  const roots = [...new Set([join(root, 'data'), ...folders])];
  return { AGENT_FORGE_DATASET_ROOTS: JSON.stringify(roots), ...environment, PORT: '0', HOST: '127.0.0.1' };
}

/**
 * The gateway that was named, else the one that runs on this checkout's data, else a new one for the time of this run.
 * Throws with one line where there is none to be had.
 */
export async function findGateway(
  asked: { url: string | undefined; token: string | undefined; folders: string[] },
  environment: NodeJS.ProcessEnv,
  say: (line: string) => void,
): Promise<Gateway> {
  const directory = resolve(root, environment.DATA_DIR || '.data');
  const stop = async () => {};
  if (asked.url !== undefined) {
    const token = asked.token ?? environment.GATEWAY_TOKEN ?? readText(join(directory, 'gateway.token'));
    if (!token) throw new UsageError('--token is needed: neither GATEWAY_TOKEN nor DATA_DIR has one');
    return { url: asked.url.replace(/\/+$/, ''), token, own: false, stop };
  }
  const known = (): { url: string; token: string } | undefined => {
    const address = readText(join(directory, 'gateway.json'));
    const token = asked.token ?? environment.GATEWAY_TOKEN ?? readText(join(directory, 'gateway.token'));
    return address && token ? { url: (JSON.parse(address) as Address).url, token } : undefined;
  };
  const running = known();
  if (running && (await readiness(running.url))) {
    await untilReady(running.url, () => undefined);
    return { ...running, own: false, stop };
  }
  return startGateway(directory, withRoots(environment, asked.folders), known, say);
}

async function startGateway(
  directory: string,
  environment: NodeJS.ProcessEnv,
  known: () => { url: string; token: string } | undefined,
  say: (line: string) => void,
): Promise<Gateway> {
  const logFile = join(directory, 'forge-gateway.log');
  say(`starting a gateway for this run (its log: ${logFile})`);
  writableDirectory(directory);
  const log = openSync(logFile, 'w', 0o600);
  // The log holds the address with the token, and an older log may lie there with other rights.
  fchmodSync(log, 0o600);
  // A process group of its own: Ctrl-C in the terminal reaches this command alone, which ends the gateway.
  const child = spawn(
    process.execPath,
    ['--enable-source-maps', join(root, 'gateway/dist/gateway/src/main.js')],
    {
      cwd: root,
      env: environment,
      stdio: ['ignore', log, log],
      detached: true,
    },
  );
  const ended = new Promise<void>((done) => child.once('close', () => done()));
  const kill = () => child.kill('SIGTERM');
  process.once('exit', kill);
  const interrupted = () => process.exit(INTERRUPTED);
  for (const signal of SIGNALS) process.once(signal, interrupted);
  const stop = async () => {
    kill();
    await Promise.race([ended, delay(STOP_LIMIT_MS, undefined, { ref: false })]);
    if (child.exitCode === null) child.kill('SIGKILL');
  };
  const found = () => (addressPid(directory) === child.pid ? known() : undefined);
  const fate = () => {
    if (child.exitCode === null) return undefined;
    return `the gateway ended at its start (${logFile}): ${readText(logFile)?.split('\n').at(-1) ?? ''}`;
  };
  try {
    const address = await until(async () => found(), fate);
    await untilReady(address.url, fate);
    return { ...address, own: true, stop };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupted);
  }
}

/** Its database, its backend and the mirror are ready; for a worker, a run may wait in the queue. */
async function untilReady(url: string, fate: () => string | undefined): Promise<void> {
  await until(async () => {
    const dependencies = (await readiness(url))?.dependencies;
    return dependencies?.every(({ name, ok }) => ok || name === 'workers') || undefined;
  }, fate);
}

/** Asks again and again, until there is something, or `fate` says why there never will be, or it is too late. */
async function until<T>(ask: () => Promise<T | undefined>, fate: () => string | undefined): Promise<T> {
  const deadline = performance.now() + START_LIMIT_MS;
  while (performance.now() < deadline) {
    const found = await ask();
    if (found !== undefined) return found;
    const reason = fate();
    if (reason) throw new Error(reason);
    await delay(POLL_MS);
  }
  throw new Error(`the gateway was not ready within ${START_LIMIT_MS / 1000} s`);
}

function addressPid(directory: string): number | undefined {
  const text = readText(join(directory, 'gateway.json'));
  return text ? (JSON.parse(text) as Address).pid : undefined;
}

/** What the gateway says of itself; undefined where nobody answers. */
async function readiness(url: string): Promise<S['Readiness'] | undefined> {
  try {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    return (await answer.json()) as S['Readiness'];
  } catch {
    return undefined;
  }
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
}
