/** Pages of the event log: from memory where it reaches back far enough, else read once for all who ask. */
import type { Event } from '../../../openapi/backend.js';
import type { Committed } from '../mirror/mirror.js';
import type { EventRange } from '../mirror/queries.js';
import type { Topic } from '../mirror/topic.js';
import type { Gate } from './gate.js';
import { type EventPage, RecentEvents } from './recent.js';

const PAGE = 500;
/** Pages that were read are kept: a past page never changes, and who was cut off together comes back together. */
const PAGES = 16;

export type EventLog = {
  /** Position of the mirror: every event up to it can be paged. */
  seq(): number;
  /** Always goes on beyond `after` where `after` < `seq()`. */
  page(topic: Topic, after: number): Promise<EventPage>;
};

export type SharedLog = EventLog & {
  add(batch: Committed): void;
  /** Readers have turned to another history. */
  clear(): void;
};

export function createSharedLog({
  seq,
  events,
  gate,
  recent = new RecentEvents(),
}: {
  seq: () => number;
  events: (range: EventRange) => Promise<Event[]>;
  gate: Gate;
  recent?: RecentEvents;
}): SharedLog {
  const pages = new Map<string, Promise<EventPage>>();
  recent.clear(seq());

  async function read(topic: Topic, after: number): Promise<EventPage> {
    const until = seq();
    const found = await events({ topic, after, until, limit: PAGE });
    return { events: found, through: found.length < PAGE ? until : (found.at(-1)?.seq ?? until) };
  }

  return {
    seq,
    async page(topic, after) {
      // Another process may have moved the mirror: memory does not hold all events then.
      const known = recent.seq >= seq() ? recent.page(topic, after, PAGE) : null;
      if (known) return known;
      const key = `${after} ${topic}`;
      const page = pages.get(key) ?? gate(() => read(topic, after));
      pages.delete(key);
      pages.set(key, page);
      for (const oldest of pages.keys()) {
        if (pages.size <= PAGES) break;
        pages.delete(oldest);
      }
      page.catch(() => {
        if (pages.get(key) === page) pages.delete(key);
      });
      return page;
    },
    add: (batch) => recent.add(batch.events),
    clear() {
      pages.clear();
      recent.clear(seq());
    },
  };
}
