import { setTimeout as delay } from 'node:timers/promises';

/** Time as the gateway's parts see it: injected, so that tests need not wait. */
export type Clock = {
  /** Milliseconds since 1970. */
  now(): number;
  /** Resolves after `ms`, or at once when the signal is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
};

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    delay(ms, undefined, { ref: false, ...(signal ? { signal } : {}) }).catch(() => undefined),
};
