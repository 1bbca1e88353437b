/** Follows the backend's event log: pages while it is behind, then server-sent events, for ever. */
import type { Readable } from 'node:stream';
import { createParser } from 'eventsource-parser';
import type { Logger } from 'pino';
import type { Event, EventPage, LiveEvent } from '../../../openapi/backend.js';
import { normalise } from '../../../openapi/client.js';
import type { BackendApi } from './api.js';
import { createBackoff } from './backoff.js';
import type { Clock } from './clock.js';
import { sequence } from './sequence.js';

const PAGE = 5000;
/** The backend sends a heartbeat every 10 s; after two missed ones the connection is taken for dead. */
const SILENCE_MS = 25_000;

export type Cursor = { epoch: string | null; seq: number };
export type ResetReason = 'first' | NonNullable<EventPage['reset']>;

export type FeedState =
  | { status: 'connecting' }
  | { status: 'following' }
  | { status: 'waiting'; reason: string; retryMs: number };

export type FeedHandlers = {
  /** Where to go on. `epoch: null` before anything is known of the backend. */
  cursor(): Cursor;
  /** Events that follow the cursor without a gap; awaited, so that a slow commit slows the stream. */
  durable(events: Event[]): Promise<void>;
  /** The backend's newest `seq`, as far as it is known. */
  watermark(seq: number): Promise<void>;
  live(event: LiveEvent): void;
  /** The cursor means nothing in this epoch: afterwards it must be `{ epoch, seq: 0 }`. */
  reset(epoch: string, reason: ResetReason): Promise<void>;
  /** A number was missing in the stream; the log is paged from the cursor on. */
  gap(missing: number): void;
  state(state: FeedState): void;
};

type Message = { kind: 'durable'; event: Event } | { kind: 'live'; event: LiveEvent } | { kind: 'reset' };

export type FeedSettings = {
  api: BackendApi;
  handlers: FeedHandlers;
  clock: Clock;
  log: Logger;
  silenceMs?: number;
};

/** Runs until the signal is aborted; never rejects. An error of a handler is logged and the feed tries again. */
export async function followFeed(settings: FeedSettings, signal: AbortSignal): Promise<void> {
  const { handlers, clock, log } = settings;
  const backoff = createBackoff({ first: 100, most: 1_000 });
  while (!signal.aborted) {
    let reason = 'the stream ended';
    try {
      handlers.state({ status: 'connecting' });
      await catchUp(settings, signal);
      await stream(settings, signal, backoff.reset);
    } catch (error) {
      const known = normalise(error);
      reason = known instanceof Error ? known.message : String(known);
      if (!signal.aborted) log.debug({ err: known }, 'event feed');
    }
    if (signal.aborted) break;
    const retryMs = backoff.next();
    handlers.state({ status: 'waiting', reason, retryMs });
    await clock.sleep(retryMs, signal);
  }
}

async function catchUp({ api, handlers }: FeedSettings, signal: AbortSignal): Promise<void> {
  while (true) {
    const { epoch, seq } = handlers.cursor();
    const page = await api.get('/v1/events', { query: { epoch, after: seq, limit: PAGE }, signal });
    if (page.reset !== null || page.epoch !== epoch) {
      await handlers.reset(page.epoch, epoch === null ? 'first' : (page.reset ?? 'unknown_epoch'));
      continue;
    }
    const { accepted, missing } = sequence(seq, page.events);
    if (missing !== null) throw new Error(`the backend's log lacks event ${missing}`);
    if (accepted.length > 0) await handlers.durable(accepted);
    await handlers.watermark(page.last_seq);
    if (handlers.cursor().seq >= page.last_seq) return;
    if (accepted.length === 0) throw new Error(`the backend's log ends at ${seq}, not at ${page.last_seq}`);
  }
}

async function stream(settings: FeedSettings, signal: AbortSignal, opened: () => void): Promise<void> {
  const { api, handlers } = settings;
  const silence = new AbortController();
  const watchdog = setTimeout(
    () => silence.abort(new Error('no heartbeat')),
    settings.silenceMs ?? SILENCE_MS,
  );
  try {
    const { epoch, seq } = handlers.cursor();
    const response = await api.axios.get<Readable>('/v1/events/stream', {
      params: { epoch, after: seq },
      responseType: 'stream',
      timeout: 0,
      signal: AbortSignal.any([signal, silence.signal]),
    });
    opened();
    handlers.state({ status: 'following' });
    const messages: Message[] = [];
    const parser = createParser({ onEvent: ({ event, data }) => messages.push(messageOf(event, data)) });
    const decoder = new TextDecoder();
    for await (const chunk of response.data) {
      watchdog.refresh();
      parser.feed(decoder.decode(chunk, { stream: true }));
      if (messages.length > 0 && !(await deliver(settings, messages.splice(0), signal))) return;
    }
  } finally {
    clearTimeout(watchdog);
  }
}

/** False where the stream can't go on from here. */
async function deliver(settings: FeedSettings, messages: Message[], signal: AbortSignal): Promise<boolean> {
  const { handlers } = settings;
  const events = messages.flatMap((message) => (message.kind === 'durable' ? [message.event] : []));
  if (messages.some(({ kind }) => kind === 'reset')) return false;
  if (events.length > 0) {
    const { epoch, seq } = handlers.cursor();
    if (events.some((event) => event.epoch !== epoch)) return false;
    const { accepted, missing } = sequence(seq, events);
    if (accepted.length > 0) {
      await handlers.durable(accepted);
      await handlers.watermark(accepted.at(-1)?.seq ?? seq);
    }
    if (missing !== null) {
      handlers.gap(missing);
      await catchUp(settings, signal);
    }
  }
  for (const message of messages) if (message.kind === 'live') handlers.live(message.event);
  return true;
}

function messageOf(event: string | undefined, data: string): Message {
  switch (event) {
    case 'durable':
      return { kind: 'durable', event: JSON.parse(data) as Event };
    case 'live':
      return { kind: 'live', event: JSON.parse(data) as LiveEvent };
    case 'reset':
      return { kind: 'reset' };
    default:
      throw new Error(`unknown server-sent event ${JSON.stringify(event)}`);
  }
}
