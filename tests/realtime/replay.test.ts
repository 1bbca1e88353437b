import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Replay } from '../../gateway/src/realtime/replay.js';
import type { Event } from '../../openapi/backend.js';
import { event, logLine } from '../mirror/events.js';

/** A log in memory whose reads take a few turns of the event loop, during which more may be committed. */
function memoryLog() {
  const events: Event[] = [];
  const listeners = new Set<(event: Event) => void>();
  return {
    events,
    listeners,
    commit() {
      const next = event.log(events.length + 1, logLine('r', 'line'));
      events.push(next);
      for (const listener of listeners) listener(next);
    },
    port: (turns: () => number) => ({
      seq: () => events.length,
      async page(_topic: string, after: number) {
        const found = events.slice(after, after + 500);
        for (let turn = turns(); turn > 0; turn--) await null;
        return { events: found, through: after + found.length };
      },
    }),
  };
}

describe('replay', () => {
  test('whatever is committed when: each event once, in order, none missing', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: 1300 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.array(fc.nat({ max: 6 }), { minLength: 1, maxLength: 40 }),
        async (before, share, rhythm) => {
          const log = memoryLog();
          for (let index = 0; index < before; index++) log.commit();
          const after = Math.floor(before * share);
          const got: number[] = [];
          let step = 0;
          const turn = () => rhythm[step++ % rhythm.length] ?? 0;
          const replay = new Replay('run:r', log.port(turn), {
            send: ({ seq }) => got.push(seq),
            drained: async () => undefined,
          });
          const collect = (committed: Event) => replay.collect(committed);
          log.listeners.add(collect);
          const writer = (async () => {
            for (const pause of rhythm) {
              for (let wait = pause; wait > 0; wait--) await null;
              log.commit();
            }
          })();
          const finished = await replay.run(after, () => {
            log.listeners.delete(collect);
            log.listeners.add(({ seq }) => got.push(seq));
          });
          await writer;
          expect(finished).toBe(true);
          expect(got).toEqual(
            Array.from({ length: log.events.length - after }, (_, index) => after + index + 1),
          );
        },
      ),
      { numRuns: 300 },
    );
  });

  test('more commits than are collected: the log is paged again', async () => {
    const log = memoryLog();
    log.commit();
    let flooded = false;
    const got: number[] = [];
    const replay = new Replay(
      'run:r',
      log.port(() => 1),
      {
        send: ({ seq }) => got.push(seq),
        drained: async () => {
          if (flooded) return;
          flooded = true;
          for (let index = 0; index < 12_000; index++) log.commit();
        },
      },
    );
    log.listeners.add((committed) => replay.collect(committed));
    await replay.run(0, () => undefined);
    expect(got).toEqual(Array.from({ length: 12_001 }, (_, index) => index + 1));
  });

  test('ended while it pages: silence', async () => {
    const log = memoryLog();
    for (let index = 0; index < 700; index++) log.commit();
    const got: number[] = [];
    const replay: Replay = new Replay(
      'run:r',
      log.port(() => 1),
      {
        send: ({ seq }) => got.push(seq),
        drained: async () => replay.end(),
      },
    );
    const live: string[] = [];
    expect(await replay.run(0, () => live.push('live'))).toBe(false);
    expect([got.length, live]).toEqual([500, []]);
  });

  test('a client that never drains', async () => {
    const log = memoryLog();
    log.commit();
    const replay = new Replay(
      'run:r',
      log.port(() => 0),
      {
        send: () => undefined,
        drained: () => Promise.reject(new Error('takes nothing')),
      },
    );
    await expect(replay.run(0, () => undefined)).rejects.toThrow('takes nothing');
  });
});
