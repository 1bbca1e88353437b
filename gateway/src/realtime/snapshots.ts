/** One reading of a topic for everybody who asks; read again only where it has changed. */

import type { Position } from '../../../openapi/realtime.js';
import type { SnapshotAt } from '../mirror/snapshot.js';
import type { Topic } from '../mirror/topic.js';
import type { Gate } from './gate.js';

type Entry = {
  found: Promise<SnapshotAt | null>;
  /** When its reading began, ms; null while it waits. */
  begun: number | null;
  /** Whether the topic has changed since it was asked for. */
  touched: boolean;
};

export type SnapshotsSettings = {
  read: (topic: Topic) => Promise<SnapshotAt | null>;
  /** Position of the mirror: it moves in the same turn in which `touch` is called. */
  cursor: () => Position | null;
  gate: Gate;
  now?: () => number;
  /** Least time between two readings of a topic that keeps changing, ms; what changed since is replayed. */
  ageMs?: number;
  /** Topics that are kept; the one that was asked for longest ago goes first. */
  most?: number;
};

export type Snapshots = {
  /** Null where there is no history yet; `snapshot` is null where the run does not exist. */
  get(topic: Topic): Promise<SnapshotAt | null>;
  /** The topic has changed. */
  touch(topic: Topic): void;
  /** Readers have turned to another history. */
  clear(): void;
};

export function createSnapshots({
  read,
  cursor,
  gate,
  now = () => performance.now(),
  ageMs = 1_000,
  most = 32,
}: SnapshotsSettings): Snapshots {
  /** In the order in which they were last asked for. */
  const entries = new Map<Topic, Entry>();

  function begin(topic: Topic): Entry {
    const entry: Entry = { begun: null, touched: false, found: Promise.resolve(null) };
    entry.found = gate(() => {
      entry.begun = now();
      return read(topic);
    });
    // The next who asks reads again; those who wait get the error.
    entry.found.catch(() => drop(topic, entry));
    return entry;
  }

  function drop(topic: Topic, entry: Entry): void {
    if (entries.get(topic) === entry) entries.delete(topic);
  }

  const isFresh = (entry: Entry) => !entry.touched || entry.begun === null || now() - entry.begun < ageMs;

  return {
    async get(topic) {
      while (true) {
        const known = entries.get(topic);
        const entry = known && isFresh(known) ? known : begin(topic);
        entries.delete(topic);
        entries.set(topic, entry);
        for (const oldest of entries.keys()) {
          if (entries.size <= most) break;
          entries.delete(oldest);
        }
        const found = await entry.found;
        if (found === null) drop(topic, entry);
        // The run was created after the reading had begun.
        if (found?.snapshot === null && entry.touched) {
          drop(topic, entry);
          continue;
        }
        const here = cursor();
        // The topic has not changed since, so nothing has to be replayed.
        return found && !entry.touched && here?.epoch === found.epoch && here.seq > found.seq
          ? { ...found, seq: here.seq }
          : found;
      }
    },
    touch(topic) {
      const entry = entries.get(topic);
      if (entry) entry.touched = true;
    },
    clear: () => entries.clear(),
  };
}
