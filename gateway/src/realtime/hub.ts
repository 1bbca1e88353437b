/** Who listens to what: hands committed events to the topics, and takes new subscribers in without a hole. */
import type { Event, LiveEvent } from '../../../openapi/backend.js';
import type { EventMessage, ProgressMessage, ResetMessage, SubscribeAck } from '../../../openapi/gateway.js';
import { formatCursor, type Position, parseCursor } from '../../../openapi/realtime.js';
import { problem } from '../edge/problem.js';
import type { Committed, Mirror } from '../mirror/mirror.js';
import { type Topic, topicsOf } from '../mirror/topic.js';
import { createCoalescer } from './coalescer.js';
import { createGate, createTurns } from './gate.js';
import { createSharedLog } from './log.js';
import { Replay } from './replay.js';
import { createSnapshots } from './snapshots.js';

/** One client, as far as the hub needs to know it. */
export type Client = {
  send(message: EventMessage): void;
  reset(message: ResetMessage): void;
  /** From now on the client gets what is broadcast to the topic; takes effect in the same turn. */
  join(topic: Topic): void;
  leave(topic: Topic): void;
  /** Resolves when the client has taken enough to be sent more; rejects where it never does. */
  drained(): Promise<void>;
  /** Messages that wait for the client to take them. */
  waiting(): number;
};

/** Everybody who joined a topic. */
export type Audience = {
  /** Topics that have members. */
  topics(): Iterable<Topic>;
  members(topic: Topic): Iterable<Client>;
  event(topic: Topic, message: EventMessage): void;
  /** May be dropped for a client that is busy taking something else. */
  progress(topic: Topic, message: ProgressMessage): void;
};

export type HubSettings = {
  mirror: Pick<Mirror, 'cursor' | 'queries' | 'snapshot' | 'onCommitted' | 'onLive' | 'onReset'>;
  audience: Audience;
  /** More waiting messages than this end a subscription. */
  mostWaiting?: number;
  /** Between two messages of one run's steps, and of its progress, ms: two kinds at 5 a second are a run's 10. */
  liveIntervalMs?: number;
  onReset?: (reason: ResetMessage['reason']) => void;
};

export type Hub = {
  subscribe(
    client: Client,
    topic: Topic,
    after: string | undefined,
    ack: (answer: SubscribeAck) => void,
  ): Promise<void>;
  unsubscribe(client: Client, topic: Topic): void;
  /** The client has gone. */
  forget(client: Client): void;
  close(): void;
};

export function createHub({
  mirror,
  audience,
  mostWaiting = 1_000,
  liveIntervalMs = 200,
  onReset = () => undefined,
}: HubSettings): Hub {
  // One at a time: between two of them the database, which may be a single session, serves everybody else.
  const gate = createGate(1);
  const turn = createTurns();
  const snapshots = createSnapshots({ read: mirror.snapshot, cursor: mirror.cursor, gate });
  const log = createSharedLog({
    seq: () => mirror.cursor()?.seq ?? 0,
    events: (range) => mirror.queries.events(range),
    gate,
  });
  /** Clients that are being brought up to date. Live ones are members of the audience instead. */
  const replays = new Map<Topic, Map<Client, Replay>>();

  function end(client: Client, topic: Topic): void {
    const clients = replays.get(topic);
    clients?.get(client)?.end();
    clients?.delete(client);
    if (clients?.size === 0) replays.delete(topic);
  }

  function reset(client: Client, topic: Topic, reason: ResetMessage['reason']): void {
    end(client, topic);
    client.leave(topic);
    client.reset({ topic, reason });
    onReset(reason);
  }

  function committed(batch: Committed): void {
    const { epoch, events } = batch;
    log.add(batch);
    const crowded = new Set<Topic>();
    for (const event of events) {
      for (const topic of topicsOf(event)) {
        for (const replay of replays.get(topic)?.values() ?? []) replay.collect(event);
        audience.event(topic, { topic, cursor: formatCursor({ epoch, seq: event.seq }), event });
        crowded.add(topic);
      }
    }
    for (const topic of crowded) {
      snapshots.touch(topic);
      for (const client of [...audience.members(topic)]) {
        if (client.waiting() > mostWaiting) reset(client, topic, 'slow');
      }
    }
  }

  const coalescer = createCoalescer<LiveEvent>({
    intervalMs: liveIntervalMs,
    send: (event) => {
      for (const topic of topicsOf(event)) audience.progress(topic, { topic, event });
    },
  });

  function everybody(reason: ResetMessage['reason']): void {
    for (const topic of new Set([...audience.topics(), ...replays.keys()])) {
      for (const client of [...audience.members(topic), ...(replays.get(topic)?.keys() ?? [])]) {
        reset(client, topic, reason);
      }
    }
  }

  const endings = [
    mirror.onCommitted(committed),
    mirror.onLive((event) => {
      // A snapshot includes the progress of its runs.
      for (const topic of topicsOf(event)) snapshots.touch(topic);
      coalescer.offer(`${event.run_id} ${event.type}`, event);
    }),
    mirror.onReset(({ reason }) => {
      snapshots.clear();
      log.clear();
      if (reason !== 'first') {
        everybody(reason === 'reconcile' ? 'rebuilt' : 'epoch');
      }
    }),
  ];

  async function subscribe(
    client: Client,
    topic: Topic,
    after: string | undefined,
    ack: (answer: SubscribeAck) => void,
  ): Promise<void> {
    unsubscribe(client, topic);
    const replay = new Replay(topic, log, {
      send: (event) => client.send(messageOf(topic, event)),
      drained: () => client.drained(),
    });
    const clients = replays.get(topic) ?? new Map<Client, Replay>();
    replays.set(topic, clients.set(client, replay));
    const current = () => replays.get(topic)?.get(client) === replay;
    const refuse = (answer: ReturnType<typeof problem>) => {
      if (current()) end(client, topic);
      ack({ ok: false, problem: answer.problem });
    };

    let from: Position | undefined;
    try {
      const known = after === undefined ? undefined : parseCursor(after);
      const here = mirror.cursor();
      if (known && here && known.epoch === here.epoch && known.seq <= here.seq) {
        from = known;
        ack({ ok: true, snapshot: null, cursor: formatCursor(known) });
      } else {
        const found = await snapshots.get(topic);
        await turn();
        if (!found) {
          refuse(problem('backend_away', 'Nothing has been heard of the backend yet.'));
          return;
        }
        if (!found.snapshot) {
          refuse(problem('not_found', `There is no ${topic}.`));
          return;
        }
        // The subscription has ended meanwhile: replaced by another to the same topic, unsubscribed, or reset.
        if (!current()) {
          ack({
            ok: false,
            problem: problem('superseded', 'The subscription was ended before it began.').problem,
          });
          return;
        }
        from = { epoch: found.epoch, seq: found.seq };
        ack({ ok: true, snapshot: found.snapshot, cursor: formatCursor(from) });
      }
      await replay.run(from.seq, () => {
        end(client, topic);
        client.join(topic);
      });
    } catch (error) {
      if (from === undefined) {
        refuse(problem('database_away', 'The mirror cannot be read now.', { cause: error }));
        throw error;
      }
      if (current()) reset(client, topic, 'slow');
    }
  }

  function unsubscribe(client: Client, topic: Topic): void {
    end(client, topic);
    client.leave(topic);
  }

  return {
    subscribe,
    unsubscribe,
    forget(client) {
      for (const topic of [...replays.keys()]) end(client, topic);
    },
    close() {
      for (const ending of endings) ending();
      coalescer.close();
    },
  };
}

function messageOf(topic: Topic, event: Event): EventMessage {
  return { topic, cursor: formatCursor(event), event };
}
