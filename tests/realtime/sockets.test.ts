import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { EventMessage, ResetMessage, StatusMessage, Subscribed } from '../../openapi/gateway.js';
import { eventually, PATIENCE_MS } from '../backend/fixtures.js';
import { invalid } from '../gateway/fixtures.js';
import { EPOCH, event, logLine, model, run, timeOf } from '../mirror/events.js';
import { type Client, type RealtimeStack, realtimeStack } from './fixtures.js';

let stack: RealtimeStack;
beforeAll(async () => {
  stack = await realtimeStack();
  await stack.commit([event.run(1, 'run.created', run('r'))]);
});
afterAll(() => stack.end());

const connected = (client: Client) =>
  new Promise<void>((resolve, reject) => {
    client.once('connect', resolve);
    client.once('connect_error', reject);
  });

async function subscribe(client: Client, topic: string, after?: string): Promise<Subscribed> {
  const ack = await client
    .timeout(PATIENCE_MS)
    .emitWithAck('subscribe', after === undefined ? { topic } : { topic, after });
  expect(invalid('SubscribeAck', ack)).toBeNull();
  if (!ack.ok) throw new Error(ack.problem.code);
  return ack;
}

const log = (count: number) => {
  const first = stack.seq() + 1;
  return stack.commit(
    Array.from({ length: count }, (_, index) =>
      event.log(first + index, logLine('r', `line ${first + index}`)),
    ),
  );
};

describe('handshake', () => {
  test.each([[undefined], ['wrong'], ['']])('token %j is refused with a problem', async (token) => {
    const client = stack.connect(token ?? '');
    await expect(connected(client)).rejects.toMatchObject({ data: { code: 'unauthorized', status: 401 } });
  });

  test('the right one is told the status at once', async () => {
    const client = stack.connect();
    const status = new Promise<StatusMessage>((resolve) => client.once('status', resolve));
    await connected(client);
    expect(invalid('StatusMessage', await status)).toBeNull();
    client.disconnect();
  });
});

describe('subscribe', () => {
  test('snapshots by topic, with a cursor', async () => {
    const client = stack.connect();
    const cursor = `${EPOCH}:${stack.seq()}`;
    expect(await subscribe(client, 'runs')).toMatchObject({
      cursor,
      snapshot: { kind: 'runs', items: [{ id: 'r' }] },
    });
    expect(await subscribe(client, 'models')).toMatchObject({
      cursor,
      snapshot: { kind: 'models', items: [] },
    });
    expect(await subscribe(client, 'run:r')).toMatchObject({
      cursor,
      snapshot: { kind: 'run', run: { id: 'r' } },
    });
    client.disconnect();
  });

  test.each([
    [{ topic: 'run:nobody' }, 'not_found'],
    [{ topic: 'everything' }, 'invalid_request'],
    [{ topic: 'runs', after: 'nonsense' }, 'invalid_request'],
    [{ topic: 'runs', extra: 1 }, 'invalid_request'],
    [{}, 'invalid_request'],
    ['runs', 'invalid_request'],
    [null, 'invalid_request'],
  ])('%j is refused: %s', async (request, code) => {
    const client = stack.connect();
    const ack = await client.timeout(PATIENCE_MS).emitWithAck('subscribe', request as never);
    expect(invalid('SubscribeAck', ack)).toBeNull();
    expect(ack).toMatchObject({ ok: false, problem: { code } });
    client.disconnect();
  });

  test('a cursor of another history or beyond the log brings the whole state', async () => {
    const client = stack.connect();
    for (const after of ['other:0', `${EPOCH}:${stack.seq() + 5}`]) {
      expect((await subscribe(client, 'runs', after)).snapshot).toMatchObject({ kind: 'runs' });
    }
    client.disconnect();
  });

  test('events of the topic alone, and none after unsubscribe', async () => {
    const client = stack.connect();
    const got: EventMessage[] = [];
    client.on('event', (message) => got.push(message));
    await subscribe(client, 'models');
    const next = stack.seq() + 1;
    await stack.commit([event.log(next, logLine('r', 'x')), event.registered(next + 1, model('m'))]);
    await eventually(
      () => got.length,
      (count) => count === 1,
    );
    expect(got[0]).toMatchObject({
      topic: 'models',
      cursor: `${EPOCH}:${next + 1}`,
      event: { type: 'model.registered' },
    });
    expect(invalid('EventMessage', got[0])).toBeNull();
    expect(await client.timeout(PATIENCE_MS).emitWithAck('unsubscribe', { topic: 'models' })).toEqual({
      ok: true,
    });
    await stack.commit([event.registered(stack.seq() + 1, model('n'))]);
    await subscribe(client, 'runs');
    expect(got).toHaveLength(1);
    client.disconnect();
  });

  test('live events arrive at most 10 a second and run, the latest of each kind last', async () => {
    const client = stack.connect();
    const got: { topic: string; done: number }[] = [];
    client.on('progress', ({ topic, event: { type, payload } }) => {
      if (type === 'run.progress') got.push({ topic, done: payload.done });
    });
    await subscribe(client, 'run:r');
    const began = performance.now();
    for (let done = 1; done <= 100; done++) {
      stack.live({
        epoch: EPOCH,
        run_id: 'r',
        time: timeOf(0),
        type: 'run.progress',
        payload: { done, total: 100, unit: 'steps', stage: 'foundation', eta_seconds: null },
      });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await eventually(
      () => got.at(-1)?.done,
      (done) => done === 100,
    );
    const seconds = (performance.now() - began) / 1000;
    expect(got.length).toBeLessThanOrEqual(Math.ceil(seconds * 5) + 1);
    expect(new Set(got.map(({ topic }) => topic))).toEqual(new Set(['run:r']));
    client.disconnect();
  });
});

describe('cursors', () => {
  test('disconnects at any time: every event exactly once, in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({ commits: fc.nat({ max: 40 }), stay: fc.nat({ max: 30 }), away: fc.nat({ max: 700 }) }),
          {
            minLength: 2,
            maxLength: 6,
          },
        ),
        async (visits) => {
          const start = stack.seq();
          const got: number[] = [];
          let cursor = `${EPOCH}:${start}`;
          for (const { commits, stay, away } of visits) {
            if (away > 0) await log(away);
            const client = stack.connect();
            client.on('event', (message) => {
              got.push(message.event.seq);
              cursor = message.cursor;
            });
            await connected(client);
            const subscribed = subscribe(client, 'run:r', cursor);
            // Commits race with the replay, and the cut races with both.
            for (let index = 0; index < commits; index++) await log(1);
            expect((await subscribed).snapshot).toBeNull();
            await new Promise((resolve) => setTimeout(resolve, stay));
            client.disconnect();
          }
          const client = stack.connect();
          client.on('event', (message) => got.push(message.event.seq));
          await subscribe(client, 'run:r', cursor);
          await eventually(
            () => got.at(-1),
            (last) => last === stack.seq() || stack.seq() === start,
          );
          client.disconnect();
          expect(got).toEqual(Array.from({ length: stack.seq() - start }, (_, index) => start + index + 1));
        },
      ),
      { numRuns: 8 },
    );
  });

  test('the server restarts: the cursor still holds', async () => {
    const cursor = `${EPOCH}:${stack.seq()}`;
    const before = stack.seq();
    await stack.restart();
    await log(3);
    const client = stack.connect();
    const got: number[] = [];
    client.on('event', (message) => got.push(message.event.seq));
    await subscribe(client, 'run:r', cursor);
    await log(1);
    await eventually(
      () => got.length,
      (count) => count === 4,
    );
    expect(got).toEqual([1, 2, 3, 4].map((offset) => before + offset));
    client.disconnect();
  });
});

test('150 sockets of two topics while events flow: nobody is refused, each event once', async () => {
  const SOCKETS = 150;
  let flowing = true;
  const updates: number[] = [];
  const writer = (async () => {
    while (flowing) {
      const next = stack.seq() + 1;
      updates.push(next + 1);
      // The log line belongs to its run alone, the other to both topics.
      await stack.commit([
        event.log(next, logLine('r', `line ${next}`)),
        event.run(next + 1, 'run.updated', run('r', { attempt: next })),
      ]);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  const clients = await Promise.all(
    Array.from({ length: SOCKETS }, async () => {
      const client = stack.connect();
      const got = new Map<string, number[]>([
        ['runs', []],
        ['run:r', []],
      ]);
      client.on('event', (message) => got.get(message.topic)?.push(message.event.seq));
      await connected(client);
      const acks = await Promise.all([...got.keys()].map((topic) => subscribe(client, topic)));
      return { client, got, from: acks.map(({ cursor }) => Number(cursor.split(':')[1])) };
    }),
  ).finally(() => {
    flowing = false;
  });
  await writer;
  const last = stack.seq();
  for (const { client, got, from } of clients) {
    const [runs, one] = await eventually(
      () => [...got.values()],
      (lists) => lists.every((seqs, index) => from[index] === last || seqs.at(-1) === last),
    );
    const [runsFrom = 0, oneFrom = 0] = from;
    expect(runs).toEqual(updates.filter((seq) => seq > runsFrom));
    expect(one).toEqual(Array.from({ length: last - oneFrom }, (_, index) => oneFrom + index + 1));
    client.disconnect();
  }
});

test('a client that does not read is reset, and costs the others nothing', async () => {
  const slow = stack.connect();
  const quick = stack.connect();
  await Promise.all([connected(slow), connected(quick)]);
  const first = stack.seq() + 1;
  const got: number[] = [];
  // What a shared snapshot did not hold yet is replayed first.
  quick.on('event', ({ event: { seq } }) => {
    if (seq >= first) got.push(seq);
  });
  await subscribe(slow, 'run:r');
  await subscribe(quick, 'run:r');
  const resets: ResetMessage[] = [];
  slow.on('reset', (message) => resets.push(message));
  // Stops reading from the network, as a suspended process would.
  const { _socket: wire } = (
    slow.io.engine.transport as unknown as { ws: { _socket: import('node:net').Socket } }
  ).ws;
  wire.pause();
  const long = 'x'.repeat(20_000);
  for (let batch = 0; batch < 40; batch++) {
    const from = stack.seq() + 1;
    await stack.commit(Array.from({ length: 50 }, (_, index) => event.log(from + index, logLine('r', long))));
  }
  await eventually(
    () => got.length,
    (count) => count >= 2000,
  );
  expect(got).toEqual(Array.from({ length: 2000 }, (_, index) => first + index));
  wire.resume();
  await eventually(
    () => resets.length,
    (count) => count === 1,
  );
  expect(resets[0]).toEqual({ topic: 'run:r', reason: 'slow' });
  slow.disconnect();
  quick.disconnect();
});

test('too many messages end the connection', async () => {
  const client = stack.connect();
  await connected(client);
  const gone = new Promise<string>((resolve) => client.once('disconnect', resolve));
  for (let index = 0; index < 600; index++) client.emit('unsubscribe', { topic: 'runs' }, () => undefined);
  expect(await gone).toBe('io server disconnect');
});

test('a message over 64 KiB ends the connection', async () => {
  const client = stack.connect();
  await connected(client);
  const gone = new Promise<string>((resolve) => client.once('disconnect', resolve));
  client.emit('subscribe', { topic: 'x'.repeat(70_000) }, () => undefined);
  expect(await gone).toMatch(/transport/);
});

test('status is told when the backend goes away', async () => {
  const client = stack.connect();
  await connected(client);
  const told: (string | null)[] = [];
  client.on('status', ({ stale_since }) => told.push(stale_since));
  const since = timeOf(9);
  stack.stale(since);
  await eventually(
    () => told.at(-1),
    (last) => last === since,
  );
  stack.stale(null);
  client.disconnect();
});

test('another history ends the subscriptions', async () => {
  const client = stack.connect();
  const resets: ResetMessage[] = [];
  client.on('reset', (message) => resets.push(message));
  await subscribe(client, 'runs');
  const cursor = `${EPOCH}:${stack.seq()}`;
  await stack.newEpoch('epoch-b');
  await eventually(
    () => resets.length,
    (count) => count === 1,
  );
  expect(resets).toEqual([{ topic: 'runs', reason: 'epoch' }]);
  expect(await subscribe(client, 'runs', cursor)).toMatchObject({
    cursor: 'epoch-b:0',
    snapshot: { kind: 'runs', items: [] },
  });
  client.disconnect();
});
