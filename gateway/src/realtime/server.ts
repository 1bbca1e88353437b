/** socket.io around the hub: who may connect, how much a client may say, how fast it must listen. */
import { once } from 'node:events';
import type { Server as HttpServer, IncomingMessage } from 'node:http';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Logger } from 'pino';
import { Server } from 'socket.io';
import { Decoder } from 'socket.io-parser';
import type {
  GatewayStatus,
  StatusMessage,
  SubscribeRequest,
  UnsubscribeRequest,
} from '../../../openapi/gateway.js';
import type { AllowList } from '../edge/allow-list.js';
import type { Metrics } from '../edge/metrics.js';
import { problem } from '../edge/problem.js';
import type { RateLimit } from '../edge/rate-limit.js';
import { forValidation, type Specification } from '../edge/specification.js';
import { answerWithoutUpgrade, isWebSocket } from '../edge/upgrade.js';
import type { Mirror } from '../mirror/mirror.js';
import { isTopic, type Topic } from '../mirror/topic.js';
import { addressOf, createAdmission } from './admission.js';
import { SharedEncoder } from './encoder.js';
import { type Client, createHub } from './hub.js';
import type { RealtimeServer, RealtimeSocket } from './protocol.js';
import { createStatusTeller } from './status.js';

const MESSAGE_BYTES = 65_536;
const TOPICS = 64;
/** From the handshake to the token, ms. */
const AUTHENTICATION_MS = 5_000;
/** A replay goes on when fewer messages than this wait for the client. */
const DRAINED = 64;
/** A client that takes nothing for so long is too slow, ms. */
const DRAIN_MS = 30_000;

export type RealtimeSettings = {
  http: HttpServer;
  mirror: Mirror;
  specification: Specification;
  metrics: Metrics;
  log: Logger;
  allowed: AllowList;
  /** Pages of other origins that may connect; for the headers of the polling transport. */
  origins: readonly string[];
  isToken: (presented: string | undefined) => boolean;
  /** Of requests: a handshake is one. */
  rateLimit: RateLimit;
  /** Whether the client's address is taken from X-Forwarded-For. */
  trustProxy: boolean;
  /** Messages per second and socket. */
  messageLimit: number;
  status(): GatewayStatus;
  /** Calls the listener when the state of the backend changes; returns what ends that. */
  onBackendState(listener: () => void): () => void;
};

export type Realtime = { sockets(): number; close(): Promise<void> };

export function createRealtime(settings: RealtimeSettings): Realtime {
  const { mirror, metrics, log, allowed, isToken, rateLimit, trustProxy } = settings;
  const admission = createAdmission();
  const io: RealtimeServer = new Server(settings.http, {
    serveClient: false,
    maxHttpBufferSize: MESSAGE_BYTES,
    perMessageDeflate: false,
    parser: { Encoder: SharedEncoder, Decoder },
    // No connectionStateRecovery: it would skip the token check, and cursors survive more than it does.
    cors: { origin: [...settings.origins] },
    // A connection that does not join its namespace in time, where it shows its token, is ended.
    connectTimeout: AUTHENTICATION_MS,
    allowRequest: (request: IncomingMessage, decide) => {
      refusalOf(request).then(
        (reason) => decide(reason, reason === null),
        (err: unknown) => {
          log.error({ err }, 'handshake failed');
          decide('not possible now', false);
        },
      );
    },
  });
  // The engine would end a connection that offers another protocol, without an answer.
  settings.http.removeAllListeners('upgrade');
  const decline = answerWithoutUpgrade(settings.http);
  settings.http.on('upgrade', (request, socket, head) => {
    if (isSocketUpgrade(request)) io.engine.handleUpgrade(request as never, socket, head);
    else decline(request, socket, head);
  });

  /** Why a handshake is refused; null where it is not. */
  async function refusalOf(request: IncomingMessage): Promise<string | null> {
    const { host, origin } = request.headers;
    if (!allowed.host(host) || !allowed.origin(origin, host)) return 'host or origin not allowed';
    const address = addressOf(request, trustProxy);
    if (!(await rateLimit.admits(address))) return 'too many requests from this address in the last minute';
    return admission.admits(address) ? null : 'too many connections that have not shown a token';
  }
  const unproven = new WeakMap<object, { done(): void }>();
  io.engine.on('connection', (connection: RealtimeSocket['conn']) => {
    const waiting = admission.opened(addressOf(connection.request, trustProxy));
    unproven.set(connection, waiting);
    connection.once('close', waiting.done);
  });

  const clients = new WeakMap<RealtimeSocket, Client>();
  const check = requestChecks(settings.specification);

  const hub = createHub({
    mirror,
    onReset: (reason) => metrics.resets.inc({ reason }),
    audience: {
      topics: () => [...io.sockets.adapter.rooms.keys()].flatMap((name) => topicOf(name) ?? []),
      *members(topic) {
        for (const id of io.sockets.adapter.rooms.get(room(topic)) ?? []) {
          const socket = io.sockets.sockets.get(id);
          const client = socket && clients.get(socket);
          if (client) yield client;
        }
      },
      event: (topic, message) => {
        metrics.messages.inc({ kind: 'event' });
        io.to(room(topic)).emit('event', message);
      },
      progress: (topic, message) => {
        metrics.messages.inc({ kind: 'progress' });
        io.to(room(topic)).volatile.emit('progress', message);
      },
    },
  });

  const statusNow = (): StatusMessage => ({ ...settings.status(), stale_since: mirror.staleSince() });
  const teller = createStatusTeller({ read: statusNow, tell: (message) => io.emit('status', message) });
  const endings = [mirror.onStatus(teller.check), settings.onBackendState(teller.check)];
  const counting = mirror.onCommitted(({ events }) => {
    for (const { type } of events) metrics.events.inc({ type });
  });

  const tokenOf = (socket: RealtimeSocket) => {
    const { token } = socket.handshake.auth as { token?: unknown };
    return typeof token === 'string' ? token : undefined;
  };

  io.use((socket, next) => {
    if (isToken(tokenOf(socket))) {
      next();
      return;
    }
    const { problem: data } = problem('unauthorized', 'The handshake needs `auth: { token }`.');
    next(Object.assign(new Error(data.title), { data }));
  });

  io.on('connection', (socket) => {
    unproven.get(socket.conn)?.done();
    const client = clientOf(socket);
    clients.set(socket, client);
    socket.emit('status', statusNow());

    const slowDown = messageBudget(settings.messageLimit);
    socket.use((_packet, next) => {
      if (slowDown()) next();
      else {
        log.warn({ socket: socket.id }, 'socket ended: too many messages');
        socket.disconnect(true);
      }
    });

    const topics = new Set<Topic>();
    socket.on('subscribe', (request, ack) => {
      if (typeof ack !== 'function') return;
      if (!isToken(tokenOf(socket))) {
        ack({ ok: false, problem: problem('unauthorized', 'The token is not valid any more.').problem });
        return;
      }
      const fault = check.subscribe(request);
      if (fault || !isTopic(request.topic)) {
        ack({ ok: false, problem: problem('invalid_request', fault ?? 'topic is unknown').problem });
        return;
      }
      if (!topics.has(request.topic) && topics.size >= TOPICS) {
        ack({
          ok: false,
          problem: problem('too_many_requests', `One socket has at most ${TOPICS} topics.`).problem,
        });
        return;
      }
      const { topic } = request;
      topics.add(topic);
      hub
        .subscribe(client, topic, request.after, (answer) => {
          if (!answer.ok) topics.delete(topic);
          ack(answer);
        })
        .catch((err: unknown) => log.warn({ err, topic }, 'subscription failed'));
    });
    socket.on('unsubscribe', (request, ack) => {
      if (typeof ack !== 'function') return;
      const fault = check.unsubscribe(request);
      if (fault || !isTopic(request.topic)) {
        ack({ ok: false, problem: problem('invalid_request', fault ?? 'topic is unknown').problem });
        return;
      }
      topics.delete(request.topic);
      hub.unsubscribe(client, request.topic);
      ack({ ok: true });
    });
    socket.on('disconnect', () => hub.forget(client));
  });

  return {
    sockets: () => io.sockets.sockets.size,
    async close() {
      counting();
      for (const ending of endings) ending();
      teller.close();
      hub.close();
      io.disconnectSockets(true);
      // Not io.close(): it would also close the http server, whose requests are still being answered.
      io.engine.close();
    },
  };
}

/** Whether the engine takes this request: others at its path are answered like any request. */
function isSocketUpgrade(request: IncomingMessage): boolean {
  return isWebSocket(request) && /^\/socket\.io\/\?(.*&)?transport=websocket(&|$)/.test(request.url ?? '');
}

/** Rooms of topics have a prefix, since every socket has a room of its own id. */
const ROOM = 'topic ';

function room(topic: Topic): string {
  return `${ROOM}${topic}`;
}

function topicOf(name: string): Topic | undefined {
  const topic = name.slice(ROOM.length);
  return name.startsWith(ROOM) && isTopic(topic) ? topic : undefined;
}

function clientOf(socket: RealtimeSocket): Client {
  const waiting = () => (socket.conn as unknown as { writeBuffer: unknown[] }).writeBuffer.length;
  return {
    send: (message) => {
      socket.emit('event', message);
    },
    reset: (message) => {
      socket.emit('reset', message);
    },
    join: (topic) => {
      void socket.join(room(topic));
    },
    leave: (topic) => {
      void socket.leave(room(topic));
    },
    waiting,
    async drained() {
      const deadline = AbortSignal.timeout(DRAIN_MS);
      while (waiting() > DRAINED) {
        if (!socket.connected) throw new Error('the client has gone');
        await once(socket.conn, 'drain', { signal: deadline });
      }
    },
  };
}

/** Whether one more message is within the limit of the running second. */
function messageBudget(perSecond: number): () => boolean {
  let second = 0;
  let count = 0;
  return () => {
    const now = Math.floor(performance.now() / 1000);
    if (now !== second) {
      second = now;
      count = 0;
    }
    count++;
    return count <= perSecond;
  };
}

/** What is wrong with a request, in words; undefined where nothing is. */
function requestChecks(specification: Specification) {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: 'spec', components: forValidation(specification).components });
  const compile = <T>(name: string) => {
    const validate = ajv.compile<T>({ $ref: `spec#/components/schemas/${name}` });
    return (request: unknown): string | undefined =>
      validate(request) ? undefined : ajv.errorsText(validate.errors, { dataVar: 'request' });
  };
  return {
    subscribe: compile<SubscribeRequest>('SubscribeRequest'),
    unsubscribe: compile<UnsubscribeRequest>('UnsubscribeRequest'),
  };
}
