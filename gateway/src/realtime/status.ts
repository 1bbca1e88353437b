/** Tells every socket the state of the gateway: at once where something happened, else not more than once a second. */
import type { GatewayStatus, StatusMessage } from '../../../openapi/gateway.js';
import { systemTimer, type Timer } from './coalescer.js';

const QUIET_MS = 1_000;

export type StatusTeller = {
  /** Something may have changed. */
  check(): void;
  close(): void;
};

export function createStatusTeller({
  read,
  tell,
  timer = systemTimer,
}: {
  read: () => StatusMessage;
  tell: (message: StatusMessage) => void;
  timer?: Timer;
}): StatusTeller {
  let told = '';
  let cancel: (() => void) | null = null;

  function now(): void {
    cancel?.();
    cancel = null;
    const message = read();
    told = essence(message);
    tell(message);
  }

  return {
    check() {
      if (essence(read()) !== told) now();
      // Only numbers that move all the time have changed, such as seq and lag.
      else cancel ??= timer(now, QUIET_MS);
    },
    close() {
      cancel?.();
    },
  };
}

function essence({ mirror, sockets: _, ...status }: GatewayStatus & { stale_since: string | null }): string {
  const { epoch, connected, resyncs, reconciled_at } = mirror;
  return JSON.stringify([status, epoch, connected, resyncs, reconciled_at]);
}
