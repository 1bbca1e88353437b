/** The hub over a log in memory: what clients are told, and how often the database is read for it. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Committed, Mirror } from '../../gateway/src/mirror/mirror.js';
import type { SnapshotAt } from '../../gateway/src/mirror/snapshot.js';
import { type Topic, topicsOf } from '../../gateway/src/mirror/topic.js';
import { type Client, createHub } from '../../gateway/src/realtime/hub.js';
import type { Event } from '../../openapi/backend.js';
import type { EventMessage, SubscribeAck } from '../../openapi/gateway.js';
import { parseCursor } from '../../openapi/realtime.js';
import { EPOCH, event, logLine, model, run } from '../mirror/events.js';

const TOPICS: Topic[] = ['runs', 'models', 'run:r'];
const never = () => () => undefined;

/** Reads take a few turns of the event loop, during which more may be committed. */
function memoryMirror(turns: () => number) {
  const events: Event[] = [];
  const reads: string[] = [];
  let tell: (batch: Committed) => void = () => undefined;
  let underWay = 0;
  let most = 0;
  async function read<Answer>(name: string, answer: () => Answer): Promise<Answer> {
    reads.push(name);
    most = Math.max(most, ++underWay);
    const found = answer();
    for (let turn = turns(); turn > 0; turn--) await new Promise((resolve) => setImmediate(resolve));
    underWay--;
    return found;
  }
  const snapshot = (topic: Topic): SnapshotAt => {
    const items = events.filter((each) => topicsOf(each).includes(topic)).map(({ seq }) => run(`${seq}`));
    return { epoch: EPOCH, seq: events.length, snapshot: { kind: 'runs', items } };
  };
  return {
    events,
    reads,
    mostAtOnce: () => most,
    commit(pick: number) {
      const seq = events.length + 1;
      const kinds = [
        () => event.log(seq, logLine('r', `line ${seq}`)),
        () => event.run(seq, 'run.updated', run('r', { attempt: seq })),
        () => event.registered(seq, model(`m${seq}`)),
      ];
      const next = (kinds[pick % kinds.length] as () => Event)();
      events.push(next);
      tell({ epoch: EPOCH, seq, events: [next] });
    },
    mirror: {
      cursor: () => ({ epoch: EPOCH, seq: events.length }),
      snapshot: (topic: Topic) => read(`${topic} ${events.length}`, () => snapshot(topic)),
      queries: {
        events: ({ topic, after, until, limit }) =>
          read(`page ${topic} ${after}`, () =>
            events
              .slice(after, until)
              .filter((each) => topicsOf(each).includes(topic))
              .slice(0, limit),
          ),
      } as Mirror['queries'],
      onCommitted: (listener) => {
        tell = listener;
        return () => undefined;
      },
      onLive: never,
      onReset: never,
    } satisfies Parameters<typeof createHub>[0]['mirror'],
  };
}

function memoryAudience() {
  const rooms = new Map<Topic, Set<Client & { events: EventMessage[] }>>();
  const client = () => {
    const events: EventMessage[] = [];
    const one: Client & { events: EventMessage[] } = {
      events,
      send: (message) => events.push(message),
      reset: () => {
        throw new Error('nobody is slow here');
      },
      join: (topic) => rooms.set(topic, (rooms.get(topic) ?? new Set()).add(one)),
      leave: (topic) => rooms.get(topic)?.delete(one),
      drained: async () => undefined,
      waiting: () => 0,
    };
    return one;
  };
  const audience: Parameters<typeof createHub>[0]['audience'] = {
    topics: () => rooms.keys(),
    members: (topic) => rooms.get(topic) ?? [],
    event: (topic, message) => {
      for (const member of rooms.get(topic) ?? []) member.events.push(message);
    },
    progress: () => undefined,
  };
  return { client, audience };
}

type Subscriber = { pause: number; topic: number; behind: number | null };

const subscriber: fc.Arbitrary<Subscriber> = fc.record({
  pause: fc.nat({ max: 3 }),
  topic: fc.nat({ max: 2 }),
  behind: fc.option(fc.nat({ max: 40 })),
});

describe('hub', () => {
  test('whoever subscribes when, while events are committed: no hole, no repeat, one reading per state', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(subscriber, { minLength: 1, maxLength: 40 }),
        fc.array(fc.record({ pause: fc.nat({ max: 2 }), pick: fc.nat({ max: 2 }) }), { maxLength: 60 }),
        fc.array(fc.nat({ max: 4 }), { minLength: 1, maxLength: 8 }),
        fc.nat({ max: 30 }),
        async (subscribers, commits, rhythm, before) => {
          let step = 0;
          const log = memoryMirror(() => rhythm[step++ % rhythm.length] ?? 0);
          for (let index = 0; index < before; index++) log.commit(index);
          const { client, audience } = memoryAudience();
          const hub = createHub({ mirror: log.mirror, audience });
          const pause = async (turns: number) => {
            for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
          };
          const writer = (async () => {
            for (const commit of commits) {
              await pause(commit.pause);
              log.commit(commit.pick);
            }
          })();
          const told: { topic: Topic; ack: SubscribeAck; events: EventMessage[] }[] = [];
          const subscribed: Promise<void>[] = [];
          for (const { pause: turns, topic: pick, behind } of subscribers) {
            await pause(turns);
            const topic = TOPICS[pick] as Topic;
            const one = client();
            const after = behind === null ? undefined : `${EPOCH}:${Math.max(0, log.events.length - behind)}`;
            subscribed.push(
              hub.subscribe(one, topic, after, (ack) => told.push({ topic, ack, events: one.events })),
            );
          }
          await Promise.all([...subscribed, writer]);
          expect(told).toHaveLength(subscribers.length);
          for (const { topic, ack, events } of told) {
            if (!ack.ok) throw new Error(`refused: ${ack.problem.code}`);
            const from = parseCursor(ack.cursor)?.seq ?? Number.NaN;
            const of = log.events.filter((each) => topicsOf(each).includes(topic));
            if (ack.snapshot?.kind === 'runs') {
              expect(ack.snapshot.items.map(({ id }) => Number(id))).toEqual(
                of.filter(({ seq }) => seq <= from).map(({ seq }) => seq),
              );
            }
            const got = events.map((message) => message.event.seq);
            expect(got).toEqual(of.filter(({ seq }) => seq > from).map(({ seq }) => seq));
          }
          expect(log.reads).toEqual([...new Set(log.reads)]);
          expect(log.mostAtOnce()).toBeLessThanOrEqual(1);
          hub.close();
        },
      ),
      { numRuns: 200 },
    );
  });

  test('a thousand who ask for two topics: two readings, and none for those who come later', async () => {
    const log = memoryMirror(() => 3);
    for (let index = 0; index < 9; index++) log.commit(index);
    const { client, audience } = memoryAudience();
    const hub = createHub({ mirror: log.mirror, audience });
    const acks: SubscribeAck[] = [];
    const all = () =>
      Promise.all(
        Array.from({ length: 1_000 }, (_, index) =>
          hub.subscribe(client(), index % 2 ? 'runs' : 'models', undefined, (ack) => acks.push(ack)),
        ),
      );
    await all();
    log.commit(0);
    await all();
    expect(log.reads).toEqual(['models 9', 'runs 9']);
    expect(acks.filter(({ ok }) => ok)).toHaveLength(2_000);
    // A log line belongs to neither topic: their states are those of after it, too.
    expect(acks.at(-1)).toMatchObject({ cursor: `${EPOCH}:10` });
    hub.close();
  });

  test('a thousand who come back to a server that has just started: each page once', async () => {
    const log = memoryMirror(() => 1);
    for (let index = 0; index < 1_400; index++) log.commit(0);
    const { client, audience } = memoryAudience();
    const hub = createHub({ mirror: log.mirror, audience });
    const clients = Array.from({ length: 1_000 }, client);
    for (const one of clients) await hub.subscribe(one, 'run:r', `${EPOCH}:100`, () => undefined);
    expect(log.reads).toEqual(['page run:r 100', 'page run:r 600', 'page run:r 1100']);
    expect(new Set(clients.map(({ events }) => events.length))).toEqual(new Set([1_300]));
    log.commit(0);
    await hub.subscribe(client(), 'run:r', `${EPOCH}:1400`, () => undefined);
    expect(log.reads).toHaveLength(3);
    hub.close();
  });
});
