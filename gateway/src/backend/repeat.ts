import type { Logger } from 'pino';
import { createBackoff } from './backoff.js';
import type { Clock } from './clock.js';

/** Failures in a row after which the work cannot go on. */
const FAILURES = 8;

export type Background = {
  name: string;
  /** One round of the work; one that resolves is a success. */
  step(): Promise<void>;
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
};

/**
 * The owner of background work: repeats its step until the signal is aborted. One that fails is logged and tried
 * again after a while. Rejects where the work cannot go on; nobody may catch that, so that it ends the process.
 */
export async function repeat({ name, step, clock, log, signal }: Background): Promise<void> {
  const backoff = createBackoff({ first: 100, most: 5_000 });
  let failures = 0;
  while (!signal.aborted) {
    try {
      await step();
      failures = 0;
      backoff.reset();
    } catch (err) {
      if (signal.aborted) return;
      failures++;
      if (failures >= FAILURES) {
        log.fatal({ err, failures }, `${name}: cannot go on`);
        throw new Error(`${name} failed ${failures} times in a row`, { cause: err });
      }
      const retryMs = backoff.next();
      log.error({ err, retryMs }, `${name}: failed`);
      await clock.sleep(retryMs, signal);
    }
  }
}
