import { io, type Socket } from 'socket.io-client';
import { ProblemError } from '../../../openapi/client.js';
import { type ClientEvents, hasEnded, type ServerEvents } from '../../../openapi/realtime.js';
import type { Run, S } from './contract.js';

/** What a run's watcher hears. */
export type Watcher = {
  run(run: Run): void;
  progress(runId: string, progress: S['Progress']): void;
  step(step: S['TrainingStep']): void;
  evaluated(evaluation: S['TrainingEvaluation']): void;
  generation(generation: S['Generation']): void;
  log(line: S['LogLine']): void;
  /** The gateway, or the backend behind it, is away or back. */
  connection(state: 'live' | 'gateway_away' | 'backend_away'): void;
};

/**
 * Follows runs until each has ended, over any number of lost connections; no event is missed or told twice.
 * @returns their final states, in the order of `runIds`. Rejects with a ProblemError where the gateway refuses.
 */
export function follow(settings: {
  url: string;
  token: string;
  runIds: string[];
  watcher: Watcher;
  signal: AbortSignal;
}): Promise<Run[]> {
  const { url, token, runIds, watcher, signal } = settings;
  const socket: Socket<ServerEvents, ClientEvents> = io(url, {
    auth: { token },
    transports: ['websocket'],
  });
  const runs = new Map<string, Run>();
  const cursors = new Map<string, string>();
  const { promise, resolve, reject } = deferred<Run[]>();

  const subscribe = (topic: string) => {
    const after = cursors.get(topic);
    socket.emit('subscribe', after === undefined ? { topic } : { topic, after }, (ack) => {
      if (!ack.ok) return reject(new ProblemError(ack.problem));
      if (ack.snapshot?.kind === 'run') {
        cursors.set(topic, ack.cursor);
        ack.snapshot.evaluations.forEach(watcher.evaluated);
        ack.snapshot.generations.forEach(watcher.generation);
        update(ack.snapshot.run);
      }
    });
  };
  const update = (run: Run) => {
    runs.set(run.id, run);
    watcher.run(run);
    const all = runIds.map((id) => runs.get(id));
    if (all.every((one): one is Run => one !== undefined && hasEnded(one.status))) resolve(all);
  };

  socket.on('connect', () => {
    watcher.connection('live');
    for (const id of runIds) subscribe(`run:${id}`);
  });
  socket.on('disconnect', () => watcher.connection('gateway_away'));
  socket.on('connect_error', (error) => {
    const problem = 'data' in error ? (error.data as S['Problem'] | undefined) : undefined;
    // socket.io retries by itself where the gateway is away, not where it refuses.
    if (problem?.code) reject(new ProblemError(problem));
    else watcher.connection('gateway_away');
  });
  socket.on('status', ({ stale_since }) =>
    watcher.connection(stale_since === null ? 'live' : 'backend_away'),
  );
  socket.on('reset', ({ topic }) => {
    cursors.delete(topic);
    subscribe(topic);
  });
  socket.on('progress', ({ event }) => {
    if (event.type === 'run.progress') watcher.progress(event.run_id, event.payload);
    else watcher.step(event.payload);
  });
  socket.on('event', ({ topic, cursor, event }) => {
    cursors.set(topic, cursor);
    switch (event.type) {
      case 'training.evaluated':
        return watcher.evaluated(event.payload);
      case 'generation.completed':
        return watcher.generation(event.payload);
      case 'run.log':
        return watcher.log(event.payload);
      case 'candidate.evaluated':
      case 'model.registered':
      case 'model.deleted':
      case 'model.verified':
        return;
      default:
        return update(event.payload);
    }
  });
  signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  return promise.finally(() => socket.removeAllListeners().close());
}

function deferred<T>() {
  let resolve: (value: T) => void = () => {};
  let reject: (reason: unknown) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
