/** Read your own writes: an answer about a change waits until the mirror shows the change. */
import type { Mirror } from '../mirror/mirror.js';

/** The mirror lags by milliseconds; where it is cut off from the backend the answer waits no longer than this. */
const PATIENCE_MS = 1_000;

/** Resolves when `isThere` finds the change in the mirror, or after a second. */
export type Arrival = (isThere: () => Promise<boolean>) => Promise<void>;

export function createArrival(mirror: Pick<Mirror, 'onCommitted'>): Arrival {
  return async function arrival(isThere) {
    let wake: () => void = () => undefined;
    let late = false;
    let news = false;
    const stop = mirror.onCommitted(() => {
      news = true;
      wake();
    });
    const timer = setTimeout(() => {
      late = true;
      wake();
    }, PATIENCE_MS);
    try {
      while (!(await isThere()) && !late) {
        if (!news) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        news = false;
      }
    } finally {
      stop();
      clearTimeout(timer);
    }
  };
}
