/** Events → changes of the mirrored rows. Pure: what an event needs to know is looked up in `known`. */
import type {
  Candidate,
  Event,
  Generation,
  LogLine,
  Model,
  Run,
  TrainingEvaluation,
  Verification,
} from '../../../openapi/backend.js';

export type MirroredModel = { row: Model; deletedAt: string | null };

export type Change =
  | { table: 'run'; row: Run }
  | { table: 'model'; model: MirroredModel }
  | { table: 'evaluation'; seq: number; row: TrainingEvaluation }
  | { table: 'candidate'; row: Candidate }
  | { table: 'generation'; row: Generation }
  | { table: 'log'; seq: number; row: LogLine }
  | { table: 'verification'; seq: number; row: Verification };

export type Known = { model(id: string): MirroredModel | undefined };

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
      return [{ table: 'model', model: { row: event.payload, deletedAt: null } }];
    case 'model.deleted': {
      const model = known.model(event.payload.id);
      return model ? [{ table: 'model', model: { ...model, deletedAt: event.time } }] : [];
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
  const row: Model = { ...model.row, verified: result.ok, verified_at: result.time };
  return [{ table: 'model', model: { ...model, row } }];
}

/** Ids of the models that the events look up. */
export function lookedUp(events: readonly Event[]): string[] {
  const ids = events.flatMap((event) => {
    if (event.type === 'model.deleted') return [event.payload.id];
    if (event.type === 'model.verified' && event.payload.subject === 'model')
      return [event.payload.subject_id];
    return [];
  });
  return [...new Set(ids)];
}

/** The last state of every row that a batch of events touches. */
export type Changes = {
  runs: Map<string, Run>;
  models: Map<string, MirroredModel>;
  evaluations: Map<string, { seq: number; row: TrainingEvaluation }>;
  candidates: Map<string, Candidate>;
  generations: Map<string, Generation>;
  logs: Map<number, LogLine>;
  verifications: Map<number, Verification>;
};

export function noChanges(): Changes {
  return {
    runs: new Map(),
    models: new Map(),
    evaluations: new Map(),
    candidates: new Map(),
    generations: new Map(),
    logs: new Map(),
    verifications: new Map(),
  };
}

/** Folds events, in order, onto `changes` (which it extends and returns); `stored` are the rows before them. */
export function foldAll(stored: Known, events: readonly Event[], changes: Changes = noChanges()): Changes {
  const known: Known = { model: (id) => changes.models.get(id) ?? stored.model(id) };
  for (const event of events) for (const change of fold(known, event)) record(changes, change);
  return changes;
}

function record(changes: Changes, change: Change): void {
  switch (change.table) {
    case 'run':
      changes.runs.set(change.row.id, change.row);
      return;
    case 'model':
      changes.models.set(change.model.row.id, change.model);
      return;
    case 'evaluation': {
      const { run_id, stage, step } = change.row;
      changes.evaluations.set(JSON.stringify([run_id, stage, step]), { seq: change.seq, row: change.row });
      return;
    }
    case 'candidate':
      changes.candidates.set(change.row.id, change.row);
      return;
    case 'generation':
      changes.generations.set(JSON.stringify([change.row.run_id, change.row.index]), change.row);
      return;
    case 'log':
      changes.logs.set(change.seq, change.row);
      return;
    case 'verification':
      changes.verifications.set(change.seq, change.row);
      return;
    default:
      change satisfies never;
  }
}
