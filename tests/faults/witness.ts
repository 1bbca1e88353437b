/** A client that keeps its cursor: whatever is killed, it must be told each event of its runs once, in order. */
import { io, type Socket } from 'socket.io-client';
import type { Topic } from '../../gateway/src/mirror/topic.js';
import type { Event, Progress } from '../../openapi/backend.js';
import type { ClientEvents, ServerEvents } from '../../openapi/realtime.js';

export type Heard = { event: Event } | { run: string; progress: Progress; time: string };
export type Witness = ReturnType<typeof witness>;

export function witness(url: string, token: string, epoch: string, runs: readonly string[]) {
  const socket: Socket<ServerEvents, ClientEvents> = io(url, {
    auth: { token },
    transports: ['websocket'],
    forceNew: true,
    reconnectionDelay: 50,
    reconnectionDelayMax: 200,
  });
  const cursors = new Map<Topic, string>(runs.map((run) => [`run:${run}`, `${epoch}:0`]));
  const events: Event[] = [];
  const faults: string[] = [];
  const progress = new Map<string, { value: Progress; time: string }>();
  const listeners = new Set<(heard: Heard) => void>();
  const tell = (heard: Heard) => {
    for (const listener of listeners) listener(heard);
  };

  async function subscribe(): Promise<void> {
    for (const [topic, after] of cursors) {
      const ack = await socket.timeout(20_000).emitWithAck('subscribe', { topic, after });
      if (!ack.ok) faults.push(`${topic} was refused: ${ack.problem.code}`);
      else if (ack.snapshot !== null)
        faults.push(`${topic}: the cursor ${after} was taken for another history's`);
    }
  }
  socket.on('connect', () => {
    // A connection that ends meanwhile subscribes again when it is back.
    subscribe().catch(() => undefined);
  });
  socket.on('event', ({ topic, cursor, event }) => {
    cursors.set(topic as Topic, cursor);
    events.push(event);
    tell({ event });
  });
  socket.on('progress', ({ event }) => {
    if (event.type !== 'run.progress') return;
    progress.set(event.run_id, { value: event.payload, time: event.time });
    tell({ run: event.run_id, progress: event.payload, time: event.time });
  });
  socket.on('reset', ({ topic }) => faults.push(`${topic} was reset`));

  return {
    faults,
    /** Of one run, as they came. */
    of: (run: string) => events.filter(({ run_id }) => run_id === run),
    progressBefore: (run: string, time: string) => {
      const last = progress.get(run);
      return last && last.time < time ? last.value : null;
    },
    listen(listener: (heard: Heard) => void): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    end: () => socket.disconnect(),
  };
}
