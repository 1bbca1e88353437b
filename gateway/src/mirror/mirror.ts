/** The mirror: follows the backend's log into the database, and tells its listeners after each commit. */
import type { Logger } from 'pino';
import type { Event, LiveEvent } from '../../../openapi/backend.js';
import type { components } from '../../../openapi/gateway.js';
import type { BackendApi } from '../backend/api.js';
import type { Clock } from '../backend/clock.js';
import { type FeedState, followFeed, type ResetReason } from '../backend/feed.js';
import { repeat } from '../backend/repeat.js';
import type { Database } from '../database/database.js';
import { fillDetails } from './details.js';
import { beginHistory, type History, publishedHistory, publishHistory, sweepHistories } from './history.js';
import { createListeners } from './listeners.js';
import { createLiveProgress } from './progress.js';
import { createQueries, type Queries } from './queries.js';
import { hashOf, reconcile } from './reconcile.js';
import { type SnapshotAt, snapshotOf } from './snapshot.js';
import type { Topic } from './topic.js';
import { commit } from './transaction.js';

export type MirrorStatus = components['schemas']['MirrorStatus'];

/** Durable events that have just been committed, in order. `seq` is the cursor after them. */
export type Committed = { epoch: string; seq: number; events: readonly Event[] };

export type Mirror = {
  /** Reads what is there from before and begins to follow. Rejects only where the database does. */
  start(): Promise<void>;
  stop(): Promise<void>;
  status(): MirrorStatus;
  /** RFC 3339; null while the backend's events arrive. */
  staleSince(): string | null;
  /** Position of what readers see; null before the first contact with a backend. */
  cursor(): { epoch: string; seq: number } | null;
  readonly queries: Queries;
  snapshot(topic: Topic): Promise<SnapshotAt | null>;
  /** Each returns what ends it. A listener that throws is logged and hurts nobody else. */
  onCommitted(listener: (batch: Committed) => void): () => void;
  onLive(listener: (event: LiveEvent) => void): () => void;
  /** Readers have turned to another history: cursors of another epoch mean nothing from now on. */
  onReset(listener: (change: { epoch: string; reason: ResetReason | 'reconcile' }) => void): () => void;
  onStatus(listener: () => void): () => void;
};

export type MirrorSettings = {
  database: Database;
  backend: BackendApi;
  clock: Clock;
  log: Logger;
  /** Milliseconds between two comparisons with the backend's own pages. */
  reconcileMs?: number;
  /** Milliseconds for which the rows of an abandoned history stay, for reads under way. */
  graceMs?: number;
};

/** No history has this id: before the first contact every read is empty. */
const NOWHERE = 0;

export function createMirror(settings: MirrorSettings): Mirror {
  const { database, backend, clock, log, reconcileMs = 600_000, graceMs = 10_000 } = settings;
  const { prisma } = database;
  const committed = createListeners<Committed>(log);
  const live = createListeners<LiveEvent>(log);
  const resets = createListeners<{ epoch: string; reason: ResetReason | 'reconcile' }>(log);
  const changed = createListeners<void>(log);
  const progress = createLiveProgress();
  const ending = new AbortController();
  const tasks: Promise<void>[] = [];

  /** What readers see. */
  let shown: History | null = null;
  /** A history that is being filled; readers see it when it has caught up. */
  let building: { history: History; reason: ResetReason | 'reconcile' } | null = null;
  let feed: FeedState = { status: 'connecting' };
  let staleSince: Date | null = new Date(clock.now());
  let backendSeq: number | null = null;
  let lagMs: number | null = null;
  let resyncs = 0;
  let reconciledAt: Date | null = null;
  let following = new AbortController();

  const target = () => building?.history ?? shown;
  const queries = createQueries(prisma, () => shown?.id ?? NOWHERE, progress.freshen);

  async function begin(epoch: string, reason: ResetReason | 'reconcile'): Promise<void> {
    log.info({ epoch, reason }, 'mirror: reading the log from its beginning');
    if (reason !== 'first') resyncs++;
    building = { history: await beginHistory(prisma, epoch, new Date(clock.now())), reason };
    backendSeq = null;
  }

  async function durable(events: Event[]): Promise<void> {
    const history = target();
    if (!history) throw new Error('no history to apply events to');
    const now = new Date(clock.now());
    const fresh = await commit(prisma, history.id, events, now);
    const last = events.at(-1);
    if (last) {
      history.seq = Math.max(history.seq, last.seq);
      history.lastEventAt = new Date(last.time);
      lagMs = Math.max(0, clock.now() - Date.parse(last.time));
      backendSeq = Math.max(backendSeq ?? 0, last.seq);
    }
    if (history !== shown || fresh.length === 0) return;
    committed.emit({ epoch: history.epoch, seq: history.seq, events: fresh });
    if (fresh.some(({ type }) => type === 'model.registered')) fill();
    changed.emit();
  }

  /** Shows the history that was being filled, once it holds all that the backend had. */
  async function watermark(seq: number): Promise<void> {
    backendSeq = Math.max(backendSeq ?? 0, seq);
    if (!building || building.history.seq < seq) return;
    const { history, reason } = building;
    await publishHistory(prisma, history.id);
    shown = history;
    building = null;
    resets.emit({ epoch: history.epoch, reason });
    changed.emit();
    fill();
    tasks.push(sweepLater(history.id));
  }

  async function sweepLater(keep: number): Promise<void> {
    await clock.sleep(graceMs, ending.signal);
    if (ending.signal.aborted || shown?.id !== keep) return;
    try {
      await sweepHistories(prisma, building ? [keep, building.history.id] : [keep]);
    } catch (err) {
      log.warn({ err }, 'mirror: rows of an abandoned history stay until the next start or reset');
    }
  }

  let filling: Promise<void> | null = null;
  let fillAgain = false;
  /** One at a time; a call meanwhile makes it go round once more. */
  function fill(): void {
    fillAgain = true;
    filling ??= (async () => {
      while (fillAgain && shown && !ending.signal.aborted) {
        fillAgain = false;
        await fillDetails(prisma, backend, shown.id, ending.signal);
      }
    })()
      .catch((err: unknown) => log.debug({ err }, 'mirror: details of models are not there yet'))
      .finally(() => {
        filling = null;
      });
  }

  function state(next: FeedState): void {
    const was = feed.status;
    feed = next;
    if (next.status === 'following') staleSince = null;
    else if (was === 'following') staleSince = new Date(clock.now());
    if (next.status === 'following') fill();
    if (was !== next.status) changed.emit();
  }

  /** Until the mirror ends or begins anew. */
  async function follow(): Promise<void> {
    following = new AbortController();
    const signal = AbortSignal.any([ending.signal, following.signal]);
    const handlers = {
      cursor: () => ({ epoch: target()?.epoch ?? null, seq: target()?.seq ?? 0 }),
      durable,
      watermark,
      live: (event: LiveEvent) => {
        progress.hear(event);
        live.emit(event);
      },
      reset: begin,
      gap: (missing: number) => {
        resyncs++;
        log.warn({ missing }, 'mirror: an event was missing; paging the log');
      },
      state,
    };
    await followFeed({ api: backend, handlers, clock, log }, signal);
    state({ status: 'connecting' });
  }

  let lastDifferences = '';
  /** Once, and the wait for the next time. */
  async function compare(): Promise<void> {
    if (shown && !building && feed.status === 'following') {
      const { epoch } = shown;
      try {
        const differences = await reconcile({
          backend,
          queries,
          cursor: () => shown,
          clock,
          signal: ending.signal,
        });
        if (differences.length > 0) {
          log.error({ differences: differences.slice(0, 20) }, 'mirror: differs from the backend');
          // A difference that remains after a new reading lies in the backend's log: another would not mend it.
          const found = hashOf(differences);
          if (found !== lastDifferences) await rebuild(epoch);
          lastDifferences = found;
        }
        reconciledAt = new Date(clock.now());
        changed.emit();
      } catch (err) {
        if (!ending.signal.aborted)
          log.warn({ err }, 'mirror: the comparison with the backend did not finish');
      }
      await clock.sleep(reconcileMs, ending.signal);
    } else await clock.sleep(1_000, ending.signal);
  }

  async function rebuild(epoch: string): Promise<void> {
    await begin(epoch, 'reconcile');
    following.abort();
  }

  return {
    queries,
    snapshot: (topic) => snapshotOf(prisma, topic, progress.freshen),
    cursor: () => shown && { epoch: shown.epoch, seq: shown.seq },
    staleSince: () => staleSince?.toISOString() ?? null,
    status: () => ({
      epoch: shown?.epoch ?? null,
      seq: shown?.seq ?? 0,
      backend_seq: backendSeq,
      lag_ms: lagMs,
      connected: feed.status === 'following',
      resyncs,
      last_event_at: shown?.lastEventAt?.toISOString() ?? null,
      reconciled_at: reconciledAt?.toISOString() ?? null,
    }),
    onCommitted: committed.add,
    onLive: live.add,
    onReset: resets.add,
    onStatus: changed.add,
    async start() {
      shown = await publishedHistory(prisma);
      // What was being built when the last process ended is begun again.
      await sweepHistories(prisma, shown ? [shown.id] : []);
      if (shown) staleSince = shown.updatedAt;
      const background = { clock, log, signal: ending.signal };
      tasks.push(
        repeat({ name: 'mirror: following the backend', step: follow, ...background }),
        repeat({ name: 'mirror: comparing with the backend', step: compare, ...background }),
      );
    },
    async stop() {
      ending.abort();
      await Promise.all(tasks);
      await filling;
    },
  };
}
