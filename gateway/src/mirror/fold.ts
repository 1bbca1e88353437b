/** Events → changes of the mirrored rows. Pure: what an event needs to know is looked up in `known`. */
import type { Event, Verification } from '../../../openapi/backend.js';
import { type Entry, keyOf, keyOfEntry, type TableName, tableNames } from './tables.js';

export type Change<T extends TableName = TableName> = { [N in T]: { table: N } & Entry<N> }[T];

export type Known = { model(id: string): Entry<'model'> | undefined };

/** What an event changes beside the log, of which it is a row itself. */
export function fold(known: Known, event: Event): Change[] {
  switch (event.type) {
    case 'run.created':
    case 'run.queued':
    case 'run.started':
    case 'run.pausing':
    case 'run.paused':
    case 'run.cancelling':
    case 'run.resumed':
    case 'run.interrupted':
    case 'run.cancelled':
    case 'run.failed':
    case 'run.succeeded':
    case 'run.updated':
      return [{ table: 'run', row: event.payload }];
    case 'model.registered':
      return [{ table: 'model', row: event.payload, deletedAt: null }];
    case 'model.deleted': {
      const model = known.model(event.payload.id);
      return model ? [{ table: 'model', ...model, deletedAt: event.time }] : [];
    }
    case 'model.verified':
      return [
        { table: 'verification', seq: event.seq, row: event.payload },
        ...verified(known, event.payload),
      ];
    case 'training.evaluated':
      return [{ table: 'evaluation', seq: event.seq, row: event.payload }];
    case 'candidate.evaluated':
      return [{ table: 'candidate', row: event.payload }];
    case 'generation.completed':
      return [{ table: 'generation', row: event.payload }];
    case 'run.log':
      return [{ table: 'log', seq: event.seq, row: event.payload }];
    default:
      event satisfies never;
      throw new Error(`unknown event ${(event as Event).type}`);
  }
}

/** A verified model carries its latest result. */
function verified(known: Known, result: Verification): Change[] {
  const model = result.subject === 'model' ? known.model(result.subject_id) : undefined;
  if (!model) return [];
  const row = { ...model.row, verified: result.ok, verified_at: result.time };
  return [{ table: 'model', ...model, row }];
}

/** Ids of the models that the events look up. */
export function lookedUp(events: readonly Event[]): string[] {
  const ids = new Set<string>();
  const asked: Known = { model: (id) => void ids.add(id) };
  for (const event of events) fold(asked, event);
  return [...ids];
}

/** The last state of every row that a batch of events touches. */
export type Changes = { [T in TableName]: Map<string, Entry<T>> };

export const noChanges = (): Changes =>
  Object.fromEntries(tableNames.map((name) => [name, new Map()])) as Changes;

/** Folds events, in order, onto `changes` (which it extends and returns); `stored` are the rows before them. */
export function foldAll(stored: Known, events: readonly Event[], changes: Changes = noChanges()): Changes {
  const known: Known = { model: (id) => changes.model.get(keyOf(id)) ?? stored.model(id) };
  for (const event of events) {
    record(changes, 'event', { row: event });
    for (const change of fold(known, event)) record(changes, change.table, change);
  }
  return changes;
}

function record<T extends TableName>(changes: Changes, table: T, entry: Entry<T>): void {
  changes[table].set(keyOfEntry(table, entry), entry);
}
