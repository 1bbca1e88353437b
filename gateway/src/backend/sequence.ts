import type { Event } from '../../../openapi/backend.js';

export type Sequence = {
  /** The events that follow the cursor without a gap, in order, each once. */
  accepted: Event[];
  /** First number that is missing while a later event has arrived; null where none is. */
  missing: number | null;
};

/** Orders what arrived after `cursor`; duplicates and whatever lies behind the cursor are dropped. Pure. */
export function sequence(cursor: number, events: readonly Event[]): Sequence {
  const ordered = [...events].sort((a, b) => a.seq - b.seq);
  const accepted: Event[] = [];
  let last = cursor;
  for (const event of ordered) {
    if (event.seq <= last) continue;
    if (event.seq > last + 1) return { accepted, missing: last + 1 };
    accepted.push(event);
    last = event.seq;
  }
  return { accepted, missing: null };
}
