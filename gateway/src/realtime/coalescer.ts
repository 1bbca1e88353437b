/** Latest wins: at most one message per key and interval, the first at once, the last never lost. */

export type Timer = (callback: () => void, ms: number) => () => void;

export const systemTimer: Timer = (callback, ms) => {
  const timer = setTimeout(callback, ms);
  timer.unref();
  return () => clearTimeout(timer);
};

export type Coalescer<Message> = {
  offer(key: string, message: Message): void;
  /** Drops what waits. */
  close(): void;
};

export function createCoalescer<Message>({
  intervalMs,
  send,
  timer = systemTimer,
}: {
  intervalMs: number;
  send: (message: Message) => void;
  timer?: Timer;
}): Coalescer<Message> {
  /** Keys within their interval, with the latest message that waits, if any. */
  const busy = new Map<string, { waiting: Message | undefined; cancel: () => void }>();

  function begin(key: string, message: Message): void {
    send(message);
    const entry = { waiting: undefined as Message | undefined, cancel: timer(() => end(key), intervalMs) };
    busy.set(key, entry);
  }

  function end(key: string): void {
    const waiting = busy.get(key)?.waiting;
    busy.delete(key);
    if (waiting !== undefined) begin(key, waiting);
  }

  return {
    offer(key, message) {
      const entry = busy.get(key);
      if (entry) entry.waiting = message;
      else begin(key, message);
    },
    close() {
      for (const { cancel } of busy.values()) cancel();
      busy.clear();
    },
  };
}
