import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { Clock } from '../../gateway/src/backend/clock.js';
import { repeat } from '../../gateway/src/backend/repeat.js';

/** A clock whose waits take no time, and what was logged. */
function stage() {
  const slept: number[] = [];
  const lines: { level: number; msg: string; err: { message: string } }[] = [];
  const clock: Clock = { now: () => 0, sleep: async (ms) => void slept.push(ms) };
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const ending = new AbortController();
  return { slept, lines, ending, settings: { name: 'work', clock, log, signal: ending.signal } };
}

test('work that fails is logged and tried again, each time later, and begins anew after a success', async () => {
  const { slept, lines, ending, settings } = stage();
  const outcomes = ['a', 'b', null, 'c', null];
  await repeat({
    ...settings,
    async step() {
      const fault = outcomes.shift();
      if (outcomes.length === 0) ending.abort();
      if (fault) throw new Error(fault);
    },
  });
  expect(slept).toEqual([100, 200, 100]);
  expect(lines.map(({ msg, err }) => [msg, err.message])).toEqual(
    ['a', 'b', 'c'].map((fault) => ['work: failed', fault]),
  );
});

test('work that always fails rejects, so that the process ends', async () => {
  const { lines, settings } = stage();
  const broken = repeat({
    ...settings,
    step: async () => {
      throw new Error('broken');
    },
  });
  await expect(broken).rejects.toThrow('work failed 8 times in a row');
  expect(lines.at(-1)).toMatchObject({ level: 60, msg: 'work: cannot go on', err: { message: 'broken' } });
});

test('what fails because it is being ended is no failure', async () => {
  const { lines, ending, settings } = stage();
  await repeat({
    ...settings,
    step: async () => {
      ending.abort();
      throw new Error('aborted');
    },
  });
  expect(lines).toEqual([]);
});
