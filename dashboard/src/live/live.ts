import type { InfiniteData, QueryClient } from '@tanstack/react-query';
import { io, type Socket } from 'socket.io-client';
import { type ClientEvents, parseCursor, type ServerEvents } from '../../../openapi/realtime.ts';
import type { Event, Problem, Run, RunPage } from '../api/schema.ts';
import { foldModels, foldRun, foldRuns, isRunEvent } from './fold.ts';
import { type Connection, healthOf } from './health.ts';
import { type Observable, observable } from './observable.ts';
import { createPulses, type Pulses } from './progress.ts';
import { createRefresher } from './refresher.ts';
import { type ModelList, type RunList, type RunView, type Snapshot, type Topic, topicKey } from './topic.ts';

/** A topic is kept for this long after its last reader went, so that going back and forth costs nothing. */
const LINGER_MS = 10_000;

interface Subscription {
  readers: number;
  cursor: string | null;
  state: 'idle' | 'asking' | 'open';
  /** Events that came before the answer to the subscription. */
  early: { cursor: string; event: Event }[];
  problem: Observable<Problem | null>;
  linger: ReturnType<typeof setTimeout> | undefined;
}

export interface Live {
  connection: Observable<Connection>;
  pulses: Pulses;
  watch: (topic: Topic) => () => void;
  problem: (topic: Topic) => Observable<Problem | null>;
  close: () => void;
}

/** What REST answers about all runs. */
const RUN_ANSWERS = [['runs'], ['runs-summary']] as const;

/** One socket; each topic's cursor is kept, so that a reconnect of any length misses nothing. */
export function createLive(token: string, cache: QueryClient): Live {
  const socket: Socket<ServerEvents, ClientEvents> = io({ auth: { token }, reconnectionDelayMax: 2000 });
  const connection = observable<Connection>({
    socket: 'connecting',
    since: Date.now(),
    gateway: null,
    heardAt: null,
  });
  const pulses = createPulses();
  const refetch = createRefresher(cache);
  const subscriptions = new Map<Topic, Subscription>();

  const turn = (state: Connection['socket']) => {
    const now = connection.get();
    if (now.socket !== state) connection.set({ ...now, socket: state, since: Date.now() });
  };
  const heard = () => connection.set({ ...connection.get(), heardAt: Date.now() });

  function subscriptionOf(topic: Topic): Subscription {
    const known = subscriptions.get(topic);
    if (known) return known;
    const fresh: Subscription = {
      readers: 0,
      cursor: null,
      state: 'idle',
      early: [],
      problem: observable<Problem | null>(null),
      linger: undefined,
    };
    subscriptions.set(topic, fresh);
    return fresh;
  }

  function ask(topic: Topic, subscription: Subscription) {
    if (!socket.connected || subscription.state !== 'idle') return;
    const after = cache.getQueryData(topicKey(topic)) === undefined ? null : subscription.cursor;
    subscription.state = 'asking';
    subscription.early = [];
    socket.emit('subscribe', after === null ? { topic } : { topic, after }, (answer) => {
      if (subscription.state !== 'asking') return;
      heard();
      if (!answer.ok) {
        subscription.state = 'idle';
        subscription.problem.set(answer.problem);
        return;
      }
      subscription.state = 'open';
      subscription.problem.set(null);
      if (answer.snapshot) {
        cache.setQueryData<Snapshot>(topicKey(topic), answer.snapshot);
        subscription.cursor = answer.cursor;
        if (topic === 'models') refetch(['models']);
        if (topic === 'runs') for (const key of RUN_ANSWERS) refetch(key);
      }
      const early = subscription.early;
      subscription.early = [];
      for (const { cursor, event } of early) apply(topic, subscription, cursor, event);
    });
  }

  function apply(topic: Topic, subscription: Subscription, cursor: string, event: Event) {
    const last = subscription.cursor;
    if (last !== null && covers(last, cursor)) return;
    subscription.cursor = cursor;
    if (topic === 'runs')
      cache.setQueryData<RunList>(topicKey(topic), (list) => list && foldRuns(list, event));
    else if (topic === 'models')
      cache.setQueryData<ModelList>(topicKey(topic), (list) => list && foldModels(list, event));
    else cache.setQueryData<RunView>(topicKey(topic), (view) => view && foldRun(view, event));
    refresh(topic, event);
  }

  /** Answers that no event carries whole are asked for again when an event says that they changed. */
  function refresh(topic: Topic, event: Event) {
    if (topic === 'models') {
      refetch(['models']);
      if (event.type === 'model.verified') refetch(['model', event.payload.subject_id]);
    } else if (topic === 'runs') {
      refetch(['system']);
      refetch(['runs-summary']);
      if (!isRunEvent(event)) return;
      replaceInPages(event.payload);
      refetch(['report', event.payload.id]);
    } else if (event.type === 'generation.completed') refetch(['report', event.payload.run_id]);
  }

  /** Pages hold runs that the topic does not. A page of one state is asked for again: others may belong to it now. */
  function replaceInPages(run: Run) {
    cache.setQueriesData<InfiniteData<RunPage>>({ queryKey: ['runs'] }, (list) => {
      if (!list?.pages.some(({ items }) => items.some(({ id }) => id === run.id))) return list;
      const replaced = list.pages.map((page) => ({
        ...page,
        items: page.items.map((item) => (item.id === run.id ? run : item)),
      }));
      return { ...list, pages: replaced };
    });
    refetch(['runs', { status: run.status }]);
  }

  socket.on('connect', () => {
    turn('open');
    for (const [topic, subscription] of subscriptions) {
      subscription.state = 'idle';
      if (subscription.readers > 0) ask(topic, subscription);
    }
  });
  socket.on('disconnect', () => {
    turn('lost');
    for (const subscription of subscriptions.values()) subscription.state = 'idle';
  });
  socket.on('connect_error', (error) => {
    // `active` is false where the server itself turned the handshake down: trying again would not help
    turn(socket.active ? 'lost' : isRefusal(error) ? 'refused' : 'lost');
    if (!socket.active && !isRefusal(error)) setTimeout(() => socket.connect(), 1000);
  });
  socket.on('status', (gateway) => {
    const before = healthOf(connection.get()).kind;
    connection.set({ ...connection.get(), gateway, heardAt: Date.now() });
    refetch(['system']);
    // What failed while the backend was away would stay failed: nothing else asks again.
    if (before !== 'live' && healthOf(connection.get()).kind === 'live')
      cache.invalidateQueries({ predicate: ({ state }) => state.status === 'error' });
  });
  socket.on('event', ({ topic, cursor, event }) => {
    heard();
    const subscription = subscriptions.get(topic as Topic);
    if (!subscription) return;
    if (subscription.state === 'asking') subscription.early.push({ cursor, event });
    else apply(topic as Topic, subscription, cursor, event);
  });
  socket.on('progress', ({ event }) => {
    heard();
    pulses.apply(event);
  });
  socket.on('reset', ({ topic }) => {
    const subscription = subscriptions.get(topic as Topic);
    if (!subscription) return;
    subscription.cursor = null;
    subscription.state = 'idle';
    if (subscription.readers > 0) ask(topic as Topic, subscription);
  });

  return {
    connection,
    pulses,
    problem: (topic) => subscriptionOf(topic).problem,
    watch: (topic) => {
      const subscription = subscriptionOf(topic);
      subscription.readers += 1;
      clearTimeout(subscription.linger);
      ask(topic, subscription);
      return () => {
        subscription.readers -= 1;
        if (subscription.readers > 0) return;
        subscription.linger = setTimeout(() => {
          if (subscription.state !== 'idle' && socket.connected)
            socket.emit('unsubscribe', { topic }, () => {});
          subscription.state = 'idle';
        }, LINGER_MS);
      };
    },
    close: () => socket.disconnect(),
  };
}

/** Whether a client at `last` already has the event at `cursor`. */
function covers(last: string, cursor: string): boolean {
  const [have, next] = [parseCursor(last), parseCursor(cursor)];
  return have !== undefined && next !== undefined && have.epoch === next.epoch && next.seq <= have.seq;
}

function isRefusal(error: Error & { data?: { status?: number } | undefined }): boolean {
  return error.data?.status === 401 || error.data?.status === 403;
}
