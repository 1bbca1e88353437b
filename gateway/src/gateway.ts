/** The whole gateway as one thing that starts and stops; the only place that knows all of its parts. */
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { createApp } from './app.js';
import { createBackendApi } from './backend/api.js';
import { systemClock } from './backend/clock.js';
import { readinessOf } from './backend/readiness.js';
import { createSupervisor, externalBackend, type Supervisor } from './backend/supervisor.js';
import type { Config } from './config.js';
import { openDatabase } from './database/database.js';
import { allowList } from './edge/allow-list.js';
import { listen } from './edge/listen.js';
import { createMetrics } from './edge/metrics.js';
import { createRateLimit } from './edge/rate-limit.js';
import { loadSpecification } from './edge/specification.js';
import { answerStarting } from './edge/starting.js';
import { limitArrival } from './middleware/deadline.js';
import { createMirror } from './mirror/mirror.js';
import { createRealtime } from './realtime/server.js';
import { root } from './root.js';
import { createArrival } from './routes/read-your-writes.js';
import { createTickets } from './routes/tickets.js';
import { forgetRuntime, rememberRuntime } from './runtime.js';
import { loadToken, tokenChecker } from './token.js';

/** The requests that carry a file. */
const TRANSFER = /^(POST \/api\/v1\/models\/import|PUT \/api\/v1\/imports\/[^/]+\/files\/[^/]+)$/;

/** For the head of a request to arrive, ms. */
const HEADERS_MS = 10_000;

export type Gateway = {
  /** Where browsers reach it, without the token. */
  readonly url: string;
  readonly token: string;
  readonly supervisor: Supervisor;
  /** Resolves when all has ended; what is still being answered is cut off at two thirds of the deadline. */
  close(): Promise<void>;
};

/** Starts everything in order; what has started is ended again where a later part fails. */
export async function startGateway(config: Config, log: Logger): Promise<Gateway> {
  const endings: (() => Promise<void>)[] = [];
  const end = async () => {
    for (const ending of endings.reverse())
      await ending().catch((err: unknown) => log.error({ err }, 'while ending'));
    endings.length = 0;
  };
  try {
    return await start(config, log, endings, end);
  } catch (error) {
    await end();
    throw error;
  }
}

async function start(
  config: Config,
  log: Logger,
  endings: (() => Promise<void>)[],
  end: () => Promise<void>,
): Promise<Gateway> {
  const token = config.token ?? (await loadToken(config.dataDirectory));
  const isToken = tokenChecker(token);
  const specification = loadSpecification();

  // The port comes first: a second gateway fails at once, before it touches anything of the first.
  // Node has one limit for all requests, so it is that of the longest, an imported file.
  const http = createServer({
    requestTimeout: config.backendLongTimeout,
    // Node refuses to wait longer for the head of a request than for the whole.
    headersTimeout: Math.min(HEADERS_MS, config.backendLongTimeout),
  });
  http.on('request', answerStarting);
  const { port } = await listen(http, config.port, config.host);
  endings.push(() => closeServer(http, async () => undefined, 0));
  const url = config.publicUrl ?? `http://${hostInUrl(config.host)}:${port}`;
  log.info({ url }, 'gateway: listening');

  const database = await openDatabase({
    folder: join(config.dataDirectory, 'mirror'),
    url: config.databaseUrl,
    onSetAside: (folder, err) =>
      log.warn({ err, folder }, 'mirror: did not open and was set aside; it is built anew from the backend'),
  });
  endings.push(() => database.close());

  const supervisor = config.external
    ? externalBackend({ baseUrl: config.external.url, token: config.external.token })
    : createSupervisor({
        python: config.python,
        cwd: join(root, 'python-backend'),
        dataDirectory: join(config.dataDirectory, 'backend'),
        clock: systemClock,
        log,
        limits: { stopMs: config.shutdownTimeout / 2 },
      });
  endings.push(() => supervisor.stop());
  supervisor.start();

  const backend = createBackendApi(supervisor.endpoint);
  const mirror = createMirror({ database, backend, clock: systemClock, log });
  await mirror.start();
  endings.push(() => mirror.stop());

  let stopping = false;
  let sockets = () => 0;
  const status = () => {
    const state = supervisor.state();
    return {
      version: specification.info.version,
      backend_state: state.status,
      pid: 'pid' in state ? state.pid : null,
      restarts: supervisor.restarts(),
      mirror: mirror.status(),
      sockets: sockets(),
    };
  };
  const backendReadiness = () => readinessOf(backend);
  const metrics = createMetrics(status, backendReadiness);
  const allowed = allowList(config);
  const rateLimit = createRateLimit(config.rateLimit);
  const app = createApp({
    services: {
      backend,
      reads: mirror.queries,
      staleSince: mirror.staleSince,
      status,
      backendReadiness,
      checkDatabase: async () => {
        await database.prisma.$queryRaw`SELECT 1`;
      },
      stopping: () => stopping,
      arrival: createArrival(mirror),
      tickets: createTickets(systemClock),
      timeouts: { ordinary: config.backendTimeout, long: config.backendLongTimeout },
    },
    specification,
    metrics,
    log,
    allowed,
    isToken,
    rateLimit,
    trustProxy: config.trustProxy,
  });
  http.off('request', answerStarting);
  http.on('request', app);
  const realtime = createRealtime({
    http,
    mirror,
    specification,
    metrics,
    log,
    allowed,
    origins: config.allowedOrigins,
    isToken,
    messageLimit: config.socketRateLimit,
    rateLimit,
    trustProxy: config.trustProxy,
    status,
    onBackendState: supervisor.onState,
  });
  sockets = realtime.sockets;
  limitArrival(http, {
    ordinaryMs: config.requestTimeout,
    isTransfer: ({ method, url: path }) => TRANSFER.test(`${method} ${path?.split('?', 1)[0]}`),
  });
  endings.push(async () => {
    stopping = true;
    await closeServer(http, realtime.close, config.shutdownTimeout / 6);
  });

  await rememberRuntime(config.dataDirectory, { url, pid: process.pid });
  endings.push(() => forgetRuntime(config.dataDirectory));
  log.info({ url }, 'gateway: serving');
  return { url, token, supervisor, close: end };
}

/** Stops accepting, ends the sockets, lets answers under way finish until the deadline. */
async function closeServer(
  http: Server,
  closeSockets: () => Promise<void>,
  deadlineMs: number,
): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    http.close(() => resolve());
  });
  await closeSockets();
  http.closeIdleConnections();
  const timer = setTimeout(() => http.closeAllConnections(), deadlineMs);
  await closed;
  clearTimeout(timer);
}

/** A wildcard address is nothing that a browser can open. */
function hostInUrl(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
