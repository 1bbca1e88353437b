/**
 * From a cursor to live without a hole and without a repeat: collect what is committed from now on, page the log
 * up to now, hand over what was collected beyond it, and be live in the same turn of the event loop.
 */
import type { Event } from '../../../openapi/backend.js';
import type { Topic } from '../mirror/topic.js';
import type { EventLog } from './log.js';

/** Committed events kept for a client that is still paging; beyond it the log is paged once more. */
const COLLECTED = 5_000;

export type Sink = {
  send(event: Event): void;
  /** Resolves when the client has taken enough to be sent more; rejects where it never does. */
  drained(): Promise<void>;
};

export class Replay {
  readonly #topic: Topic;
  readonly #log: EventLog;
  readonly #sink: Sink;
  #collected: Event[] = [];
  #overflowed = false;
  #ended = false;

  constructor(topic: Topic, log: EventLog, sink: Sink) {
    this.#topic = topic;
    this.#log = log;
    this.#sink = sink;
  }

  /** An event of the topic that was committed meanwhile. */
  collect(event: Event): void {
    if (this.#overflowed) return;
    this.#collected.push(event);
    if (this.#collected.length > COLLECTED) {
      this.#overflowed = true;
      this.#collected = [];
    }
  }

  /** Nothing is sent any more. */
  end(): void {
    this.#ended = true;
    this.#collected = [];
  }

  /**
   * Sends all after `after`; `live` runs in the same turn as the last of it. False where it was ended before.
   * Rejects where the log can't be read or the client never drains.
   */
  async run(after: number, live: () => void): Promise<boolean> {
    let watermark = after;
    do {
      this.#overflowed = false;
      watermark = await this.#page(watermark, this.#log.seq());
      if (this.#ended) return false;
    } while (this.#overflowed);
    for (const event of this.#collected) if (event.seq > watermark) this.#sink.send(event);
    this.#collected = [];
    live();
    return true;
  }

  /** To `until` or beyond: what was committed meanwhile may be paged too. */
  async #page(after: number, until: number): Promise<number> {
    let watermark = after;
    while (watermark < until && !this.#ended) {
      const { events, through } = await this.#log.page(this.#topic, watermark);
      if (this.#ended) return watermark;
      for (const event of events) this.#sink.send(event);
      watermark = through;
      await this.#sink.drained();
    }
    return watermark;
  }
}
