/** Events as the backend sends them, whole and typed: builders with the least that differs as arguments. */
import type {
  Candidate,
  Event,
  Generation,
  LogLine,
  Model,
  Run,
  RunEvent,
  TrainingEvaluation,
  Verification,
} from '../../openapi/backend.js';

export const EPOCH = 'epoch-a';
const digest = (text: string) => Buffer.from(text.padEnd(32, '.')).toString('hex').slice(0, 64);
export const timeOf = (seq: number) => new Date(Date.UTC(2026, 0, 1) + seq * 1000).toISOString();

type Envelope = { epoch: string; seq: number; run_id: string | null; run_seq: number | null; time: string };
const envelope = (seq: number, run_id: string | null = null, epoch = EPOCH): Envelope => ({
  epoch,
  seq,
  run_id,
  run_seq: run_id === null ? null : seq,
  time: timeOf(seq),
});

export function run(id: string, fields: Partial<Run> = {}): Run {
  return {
    id,
    kind: 'cognate',
    name: `Run ${id}`,
    status: 'queued',
    pipeline_id: null,
    depends_on: null,
    attempt: 0,
    cognate: null,
    evomerge: null,
    settings: null,
    merge: null,
    progress: { done: 0, total: 10, unit: 'steps', stage: 'foundation', eta_seconds: null },
    model_ids: [],
    champion_id: null,
    champion_model_id: null,
    champion_fitness: null,
    champion_heldout: null,
    failure: null,
    worker_pid: null,
    device: null,
    versions: {},
    trace_id: null,
    created_at: timeOf(0),
    started_at: null,
    finished_at: null,
    updated_at: timeOf(0),
    busy_seconds: 0,
    ...fields,
  };
}

export function model(id: string, fields: Partial<Model> = {}): Model {
  return {
    id,
    name: `model-${id}`,
    kind: 'imported',
    run_id: null,
    specialization: null,
    architecture: null,
    folder: null,
    tokenizer: null,
    parameters: 10,
    bytes: 40,
    digest: digest(id),
    origin: { kind: 'imported', filename: `${id}.safetensors` },
    parents: [],
    files: [],
    metrics: {},
    versions: {},
    created_at: timeOf(0),
    verified: null,
    verified_at: null,
    ...fields,
  };
}

export function candidate(runId: string, generation: number, slot: number): Candidate {
  const id = `${runId}.g${generation}.s${slot}`;
  return {
    id,
    run_id: runId,
    generation,
    slot,
    role: 'seed',
    op: 'linear',
    parents: ['a', 'b'],
    recipe: { kind: 'model', model_id: 'a', digest: digest('a') },
    digest: digest(id),
    parameters: 10,
    bytes: 40,
    fitness: {
      total: 0.5,
      likelihood: 0.5,
      accuracy: 0.5,
      compute: 1,
      memory: 1,
      mean_depth: 2,
      tasks: {},
      problems: 96,
      partial: false,
    },
    fault: null,
    polished: false,
    merge_seconds: 0.1,
    evaluate_seconds: 0.2,
    cached: false,
    node: null,
  };
}

export function generation(runId: string, index: number): Generation {
  return {
    run_id: runId,
    index,
    best: 0.7,
    mean: 0.6,
    worst: 0.5,
    diversity: 0.1,
    champion_id: `${runId}.g${index}.s0`,
    champion_fitness: 0.7,
    ranked: [],
    stopped_early: 0,
    faulted: 0,
    min_bytes: 40,
    max_bytes: 40,
    seconds: 1,
  };
}

export function evaluation(runId: string, stage: string, step: number): TrainingEvaluation {
  return {
    run_id: runId,
    stage,
    step,
    total_steps: 100,
    train_loss: 1.5,
    tasks: [],
    mean_depth: 2,
    tokens_per_second: 1000,
    elapsed_seconds: 3,
  };
}

export function verification(subjectId: string, ok: boolean, time: string): Verification {
  return { subject: 'model', subject_id: subjectId, ok, checks: [], seconds: 0.1, time };
}

export function logLine(runId: string, message: string, time = timeOf(0)): LogLine {
  return { run_id: runId, time, level: 'info', message };
}

export const event = {
  run: (seq: number, type: RunEvent['type'], payload: Run): Event => ({
    ...envelope(seq, payload.id),
    type,
    payload,
  }),
  registered: (seq: number, payload: Model): Event => ({
    ...envelope(seq, payload.run_id),
    type: 'model.registered',
    payload,
  }),
  deleted: (seq: number, id: string): Event => ({ ...envelope(seq), type: 'model.deleted', payload: { id } }),
  verified: (seq: number, id: string, ok: boolean): Event => ({
    ...envelope(seq),
    type: 'model.verified',
    payload: verification(id, ok, timeOf(seq)),
  }),
  evaluated: (seq: number, payload: TrainingEvaluation): Event => ({
    ...envelope(seq, payload.run_id),
    type: 'training.evaluated',
    payload,
  }),
  candidate: (seq: number, payload: Candidate): Event => ({
    ...envelope(seq, payload.run_id),
    type: 'candidate.evaluated',
    payload,
  }),
  generation: (seq: number, payload: Generation): Event => ({
    ...envelope(seq, payload.run_id),
    type: 'generation.completed',
    payload,
  }),
  log: (seq: number, payload: LogLine): Event => ({
    ...envelope(seq, payload.run_id),
    type: 'run.log',
    payload,
  }),
};

/** An event of any kind about one of few things, so that they touch each other; `pick` chooses which. */
export function anyEvent(seq: number, pick: number): Event {
  const thing = ['a', 'b', 'c'][pick % 3] as string;
  const variant = Math.floor(pick / 3);
  const states = ['run.started', 'run.succeeded', 'run.failed'] as const;
  switch (variant % 8) {
    case 0:
      return event.run(seq, states[variant % 3] ?? 'run.updated', run(thing, { attempt: seq }));
    case 1:
      return event.registered(seq, model(thing, { bytes: seq }));
    case 2:
      return event.deleted(seq, thing);
    case 3:
      return event.verified(seq, thing, variant % 2 === 0);
    case 4:
      return event.evaluated(seq, { ...evaluation(thing, 'foundation', variant % 5), train_loss: seq });
    case 5:
      return event.candidate(seq, { ...candidate(thing, variant % 4, variant % 8), merge_seconds: seq });
    case 6:
      return event.generation(seq, { ...generation(thing, variant % 4), seconds: seq });
    default:
      return event.log(seq, logLine(thing, `line ${seq}`));
  }
}
