/** Both images, built by the steps of their Dockerfiles in a clean directory and run as another user, up to a champion. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createClient } from '../../openapi/client.js';
import type { paths, RunView } from '../../openapi/gateway.js';
import { copyContext } from './context.js';
import {
  basePython,
  buildImage,
  type Image,
  isHealthy,
  open,
  type Running,
  start,
  USER,
  writable,
} from './image.js';
import { freePort } from './port.js';
import { type Server, startPostgres } from './postgres.js';

/** Limits on hanging: an installation takes minutes where the machine is busy. */
const MINUTES = 60_000;

const GATEWAY_TOKEN = 'gateway-token-of-the-test-of-images';
const BACKEND_TOKEN = 'backend-token-of-the-test-of-images';
const TINY = {
  preset: 'nano',
  foundation_steps: 2,
  train_steps: 2,
  batch_tokens: 256,
  eval_problems: 8,
} as const;

const directory = mkdtempSync(join(tmpdir(), 'forge-images-'));
const running: Running[] = [];
let postgres: Server | null = null;
let images: { gateway: Image; backend: Image };

// Side by side: one waits for the network where the other unpacks.
beforeAll(async () => {
  open(directory);
  const context = join(directory, 'context');
  copyContext(context);
  const [gateway, backend] = await Promise.all([
    buildImage('gateway.Dockerfile', context, join(directory, 'gateway')),
    buildImage('backend.Dockerfile', context, join(directory, 'backend'), { PYTHON: basePython() }),
  ]);
  images = { gateway, backend };
}, 28 * MINUTES);
afterAll(async () => {
  for (const each of running.reverse()) await each.stop();
  await postgres?.stop();
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
});

test('neither image holds what only builds and tests need', () => {
  const packages = join(images.gateway.directory, 'app/node_modules');
  for (const name of ['prisma', 'typescript', 'jest', 'vite', 'react', '@biomejs', '.bin/prisma'])
    expect([name, existsSync(join(packages, name))]).toEqual([name, false]);
  const site = join(images.backend.directory, 'app/.venv/lib');
  const [version = ''] = readdirSync(site);
  const installed = readdirSync(join(site, version, 'site-packages'));
  for (const name of ['pytest', 'hypothesis', 'mypy', 'ruff', 'httpx', 'uv', 'pip'])
    expect(installed.filter((each) => each === name || each.startsWith(`${name}-`))).toEqual([]);
});

test('nobody who runs an image can change its program', () => {
  expect(writable(images.gateway)).toEqual([]);
  expect(writable(images.backend)).toEqual([]);
});

test('they run together, up to a champion', async () => {
  const backendPort = String(await freePort());
  const gatewayPort = String(await freePort());
  postgres = await startPostgres(directory, USER);
  const backendSettings = {
    AGENT_FORGE_TOKEN: BACKEND_TOKEN,
    AGENT_FORGE_HOST: '127.0.0.1',
    AGENT_FORGE_PORT: backendPort,
    AGENT_FORGE_THREADS: '1',
    AGENT_FORGE_NICE: '0',
  };
  const backend = await launch(images.backend, backendSettings);
  const gatewaySettings = {
    HOST: '127.0.0.1',
    PORT: gatewayPort,
    BACKEND_URL: `http://127.0.0.1:${backendPort}`,
    BACKEND_TOKEN,
    GATEWAY_TOKEN,
    ...(postgres && { DATABASE_URL: postgres.url }),
  };
  // With a server, the gateway has no use for the database that it brings.
  if (postgres) rmSync(join(images.gateway.directory, 'app/gateway/node_modules/@electric-sql'), REMOVE);
  const gateway = await launch(images.gateway, gatewaySettings);

  const api = createClient<paths>({ baseUrl: `http://127.0.0.1:${gatewayPort}`, token: GATEWAY_TOKEN });
  const { cognate, evomerge } = await api.post('/api/v1/pipelines', {
    body: { cognate: TINY, evomerge: { generations: 1, eval_problems: 8, heldout_problems: 8 } },
  });
  for (const { id } of [cognate, evomerge as RunView]) {
    const run = await ended(() => api.get('/api/v1/runs/{run_id}', { path: { run_id: id } }));
    expect([run.kind, run.status, run.failure]).toEqual([run.kind, 'succeeded', null]);
  }
  const [champion] = (await api.get('/api/v1/models', { query: { kind: 'merged' } })).items;
  expect(champion?.bytes).toBeGreaterThan(3_000_000);
  const page = await fetch(`http://127.0.0.1:${gatewayPort}/`);
  expect(await page.text()).toContain('<div id="root">');

  // Compiled merge methods are kept where the user may write, and so are there after a restart.
  expect(existsSync(join(images.backend.directory, 'data/.cache/numba'))).toBe(true);
  for (const each of [backend, gateway]) {
    expect(each.output()).not.toContain('Traceback');
    expect(each.output()).not.toMatch(/permission denied|read-only/i);
  }
  // The backend ends in order, then by the signal again, as uvicorn does.
  expect([await gateway.stop(), await backend.stop()]).toEqual([0, 'SIGTERM']);
  expect(backend.output()).toContain('Application shutdown complete');
});

test('with DATABASE_URL the embedded database is not even looked for', async () => {
  rmSync(join(images.gateway.directory, 'app/gateway/node_modules/@electric-sql'), REMOVE);
  const gateway = start(images.gateway, {
    PORT: '0',
    GATEWAY_TOKEN,
    DATABASE_URL: `postgresql://forge@127.0.0.1:${await freePort()}/forge`,
  });
  running.push(gateway);
  while (gateway.child.exitCode === null) await delay(50);
  expect(gateway.output()).toContain('ECONNREFUSED');
  expect(gateway.output()).not.toContain('Cannot find package');
});

const REMOVE = { recursive: true, force: true };

/** Resolves when it says of itself that it is healthy, as Docker would ask. */
async function launch(image: Image, settings: Record<string, string>): Promise<Running> {
  const program = start(image, settings);
  running.push(program);
  while (!isHealthy(image, settings)) {
    if (program.child.exitCode !== null) throw new Error(`ended too early:\n${program.output()}`);
    await delay(200);
  }
  return program;
}

async function ended(read: () => Promise<RunView>): Promise<RunView> {
  while (true) {
    const run = await read();
    if (['succeeded', 'failed', 'cancelled'].includes(run.status)) return run;
    await delay(200);
  }
}
