/** The last committed events in memory: who was away for a moment costs no read. */
import type { Event } from '../../../openapi/backend.js';
import { type Topic, topicsOf } from '../mirror/topic.js';

/** Events of a topic after a position, in order, and the position up to which there are no others. */
export type EventPage = { events: Event[]; through: number };

type Kept = { event: Event; topics: Topic[]; bytes: number };

export class RecentEvents {
  readonly #most: number;
  readonly #mostBytes: number;
  /** Without a hole: the first one's number is #after + 1. */
  #kept: Kept[] = [];
  #after = 0;
  #bytes = 0;

  constructor({ most = 5_000, mostBytes = 32 * 1024 * 1024 } = {}) {
    this.#most = most;
    this.#mostBytes = mostBytes;
  }

  /** The number of the last one. */
  get seq(): number {
    return this.#after + this.#kept.length;
  }

  /** Forgets all; what comes next follows `seq`. */
  clear(seq: number): void {
    this.#kept = [];
    this.#bytes = 0;
    this.#after = seq;
  }

  add(events: readonly Event[]): void {
    for (const event of events) {
      if (event.seq !== this.seq + 1) this.clear(event.seq - 1);
      const kept = { event, topics: topicsOf(event), bytes: JSON.stringify(event).length };
      this.#kept.push(kept);
      this.#bytes += kept.bytes;
    }
    let gone = 0;
    while (this.#kept.length - gone > this.#most || this.#bytes > this.#mostBytes) {
      this.#bytes -= this.#kept[gone]?.bytes ?? 0;
      gone++;
    }
    this.#kept.splice(0, gone);
    this.#after += gone;
  }

  /** Null where events after that position are not kept any more. */
  page(topic: Topic, after: number, limit: number): EventPage | null {
    if (after < this.#after) return null;
    const events: Event[] = [];
    for (let index = after - this.#after; index < this.#kept.length; index++) {
      const { event, topics } = this.#kept[index] as Kept;
      if (!topics.includes(topic)) continue;
      events.push(event);
      if (events.length === limit) return { events, through: event.seq };
    }
    return { events, through: Math.max(after, this.seq) };
  }
}
