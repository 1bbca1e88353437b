import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { watch } from '../../gateway/bin/suites/watch.mjs';

const MINUTE = 60_000;
const LIMITS = { silence: 30 * MINUTE, whole: 85 * MINUTE };

describe('by the clock', () => {
  let signals: string[] = [];
  const child = { kill: (signal: string) => signals.push(signal) } as unknown as Parameters<typeof watch>[0];

  beforeEach(() => {
    signals = [];
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  test('what shows signs of life may take as long as it needs, up to the bound of all together', () => {
    const { alive } = watch(child, LIMITS);
    for (let times = 0; times < 3; times++) {
      jest.advanceTimersByTime(28 * MINUTE);
      alive();
    }
    expect(signals).toEqual([]);
    jest.advanceTimersByTime(MINUTE);
    expect(signals).toEqual(['SIGTERM']);
  });

  test('what is silent for too long is ended, by force where it must be', () => {
    watch(child, LIMITS);
    jest.advanceTimersByTime(30 * MINUTE - 1);
    expect(signals).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(signals).toEqual(['SIGTERM']);
    jest.advanceTimersByTime(MINUTE);
    expect(signals).toEqual(['SIGTERM', 'SIGKILL']);
  });

  test('after the end nothing is killed', () => {
    watch(child, LIMITS).stop();
    jest.advanceTimersByTime(100 * MINUTE);
    expect(signals).toEqual([]);
  });
});

test('a real program that hangs is ended', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  const { stop } = watch(child, { silence: 50 });
  await once(child, 'close');
  expect(child.signalCode).toBe('SIGTERM');
  stop();
});
