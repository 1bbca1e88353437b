import { expect, test } from '@jest/globals';
import { createCoalescer } from '../../gateway/src/realtime/coalescer.js';
import { createStatusTeller } from '../../gateway/src/realtime/status.js';
import type { StatusMessage } from '../../openapi/gateway.js';

/** Time by hand. */
function clock() {
  let now = 0;
  let timers: { at: number; run: () => void }[] = [];
  return {
    timer: (run: () => void, ms: number) => {
      const entry = { at: now + ms, run };
      timers.push(entry);
      return () => {
        timers = timers.filter((other) => other !== entry);
      };
    },
    advance(ms: number) {
      const end = now + ms;
      for (;;) {
        const next = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
        if (!next) break;
        timers = timers.filter((other) => other !== next);
        now = next.at;
        next.run();
      }
      now = end;
    },
  };
}

test('the first at once, then the latest of each interval, the last never lost, keys apart', () => {
  const { timer, advance } = clock();
  const sent: string[] = [];
  const coalescer = createCoalescer<string>({
    intervalMs: 200,
    send: (message) => sent.push(message),
    timer,
  });
  coalescer.offer('a', 'a1');
  coalescer.offer('a', 'a2');
  coalescer.offer('b', 'b1');
  coalescer.offer('a', 'a3');
  expect(sent).toEqual(['a1', 'b1']);
  advance(200);
  expect(sent).toEqual(['a1', 'b1', 'a3']);
  advance(1000);
  coalescer.offer('a', 'a4');
  expect(sent).toEqual(['a1', 'b1', 'a3', 'a4']);
});

test('1,000 offers in a second are 5 messages and the last', () => {
  const { timer, advance } = clock();
  const sent: number[] = [];
  const coalescer = createCoalescer<number>({
    intervalMs: 200,
    send: (message) => sent.push(message),
    timer,
  });
  for (let index = 0; index < 1000; index++) {
    coalescer.offer('run', index);
    advance(1);
  }
  advance(1000);
  expect(sent.length).toBeLessThanOrEqual(6);
  expect(sent.at(-1)).toBe(999);
});

test('status: at once where the state changed, else once a second', () => {
  const { timer, advance } = clock();
  const message: StatusMessage = {
    version: '1',
    backend_state: 'up',
    pid: 1,
    restarts: 0,
    mirror: {
      epoch: 'e',
      seq: 0,
      backend_seq: 0,
      lag_ms: null,
      connected: true,
      resyncs: 0,
      last_event_at: null,
      reconciled_at: null,
    },
    sockets: 0,
    stale_since: null,
  };
  const told: StatusMessage[] = [];
  let current = message;
  const teller = createStatusTeller({ read: () => current, tell: (now) => told.push(now), timer });
  teller.check();
  for (let seq = 1; seq <= 50; seq++) {
    current = { ...current, mirror: { ...current.mirror, seq } };
    teller.check();
    advance(10);
  }
  expect(told.map(({ mirror }) => mirror.seq)).toEqual([0]);
  advance(600);
  expect(told.map(({ mirror }) => mirror.seq)).toEqual([0, 50]);
  current = { ...current, backend_state: 'down', stale_since: '2026-01-01T00:00:00Z' };
  teller.check();
  expect(told.at(-1)?.backend_state).toBe('down');
});
