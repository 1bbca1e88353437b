/** The real socket server over a real mirror database; events are committed as the feed would commit them. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { io, type Socket } from 'socket.io-client';
import { openDatabase } from '../../gateway/src/database/database.js';
import { allowList } from '../../gateway/src/edge/allow-list.js';
import { createMetrics } from '../../gateway/src/edge/metrics.js';
import { createRateLimit } from '../../gateway/src/edge/rate-limit.js';
import { loadSpecification } from '../../gateway/src/edge/specification.js';
import { beginHistory, publishHistory } from '../../gateway/src/mirror/history.js';
import { createListeners } from '../../gateway/src/mirror/listeners.js';
import type { Committed, Mirror } from '../../gateway/src/mirror/mirror.js';
import { createQueries } from '../../gateway/src/mirror/queries.js';
import { snapshotOf } from '../../gateway/src/mirror/snapshot.js';
import { commit } from '../../gateway/src/mirror/transaction.js';
import { createRealtime } from '../../gateway/src/realtime/server.js';
import { tokenChecker } from '../../gateway/src/token.js';
import type { Event, LiveEvent } from '../../openapi/backend.js';
import type { GatewayStatus } from '../../openapi/gateway.js';
import type { ClientEvents, ServerEvents } from '../../openapi/realtime.js';
import { quiet } from '../backend/fixtures.js';
import { EPOCH } from '../mirror/events.js';

export const TOKEN = 'a-token-that-is-long-enough-for-tests';
export type Client = Socket<ServerEvents, ClientEvents>;
const specification = loadSpecification();
/** Nothing newer is known of a run than what is stored. */
const same = <T>(value: T): T => value;

type ResetNews = Parameters<Parameters<Mirror['onReset']>[0]>[0];

export async function realtimeStack() {
  const database = await openDatabase({ folder: null });
  const { prisma } = database;
  let history = (await beginHistory(prisma, EPOCH, new Date())).id;
  await publishHistory(prisma, history);
  let position = { epoch: EPOCH, seq: 0 };
  const committed = createListeners<Committed>(quiet);
  const live = createListeners<LiveEvent>(quiet);
  const resets = createListeners<ResetNews>(quiet);
  const changed = createListeners<void>(quiet);
  let staleSince: string | null = null;
  const mirrorStatus = (): GatewayStatus['mirror'] => ({
    ...position,
    backend_seq: position.seq,
    lag_ms: 0,
    connected: staleSince === null,
    resyncs: 0,
    last_event_at: null,
    reconciled_at: null,
  });
  const mirror: Mirror = {
    start: async () => undefined,
    stop: async () => undefined,
    status: mirrorStatus,
    staleSince: () => staleSince,
    cursor: () => position,
    queries: createQueries(prisma, () => history, same),
    snapshot: (topic) => snapshotOf(prisma, topic, same),
    onCommitted: committed.add,
    onLive: live.add,
    onReset: resets.add,
    onStatus: changed.add,
  };
  const status = (): GatewayStatus => ({
    version: '0',
    backend_state: 'up',
    pid: null,
    restarts: 0,
    mirror: mirrorStatus(),
    sockets: 0,
  });
  const clients = new Set<Client>();

  const serve = async () => {
    const http = createServer();
    const realtime = createRealtime({
      http,
      mirror,
      specification,
      metrics: createMetrics(status, async () => null),
      log: quiet,
      allowed: allowList({ host: '127.0.0.1', publicUrl: undefined, allowedHosts: [], allowedOrigins: [] }),
      origins: [],
      isToken: tokenChecker(TOKEN),
      rateLimit: createRateLimit(0),
      trustProxy: false,
      messageLimit: 200,
      status,
      onBackendState: () => () => undefined,
    });
    await new Promise<void>((done) => http.listen(0, '127.0.0.1', done));
    return { http, realtime, url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` };
  };
  let server = await serve();
  const stopServer = async () => {
    await server.realtime.close();
    const closed = new Promise<void>((done) => server.http.close(() => done()));
    server.http.closeAllConnections();
    await closed;
  };

  return {
    connect(token: string | undefined = TOKEN): Client {
      const client: Client = io(server.url, {
        auth: { token },
        transports: ['websocket'],
        reconnection: false,
        forceNew: true,
      });
      clients.add(client);
      return client;
    },
    /** One transaction and what follows it, as the mirror does. */
    async commit(events: Event[]): Promise<void> {
      const fresh = await commit(prisma, history, events, new Date());
      position = { ...position, seq: events.at(-1)?.seq ?? position.seq };
      if (fresh.length > 0) committed.emit({ ...position, events: fresh });
    },
    seq: () => position.seq,
    live: live.emit,
    stale(since: string | null) {
      staleSince = since;
      changed.emit();
    },
    /** Readers turn to a history of another epoch. */
    async newEpoch(epoch: string): Promise<void> {
      const next = await beginHistory(prisma, epoch, new Date());
      await publishHistory(prisma, next.id);
      history = next.id;
      position = { epoch, seq: 0 };
      resets.emit({ epoch, reason: 'unknown_epoch' });
    },
    async restart(): Promise<void> {
      await stopServer();
      server = await serve();
    },
    async end(): Promise<void> {
      for (const client of clients) client.disconnect();
      await stopServer();
      await database.close();
    },
  };
}

export type RealtimeStack = Awaited<ReturnType<typeof realtimeStack>>;
