/** Where a pipeline stands, told from its durable events and its last progress. Pure. */
import type { Event, Progress } from '../../openapi/backend.js';

export const STAGES = [
  'queued',
  'foundation',
  'specialist',
  'evaluation',
  'registration',
  'parents',
  'barriers',
  'breeding',
  'champion',
  'finishing',
] as const;
export type Stage = (typeof STAGES)[number];

/** What of the configuration says where a step belongs. */
export type Shape = {
  /** Names of the training stages and their steps, in order. */
  training: readonly (readonly [name: string, steps: number])[];
  evalInterval: number;
  pairs: number;
  generations: number;
};

/** `events` of the pipeline's runs in the order of `seq`; `progress` the newest of the run that is under way. */
export function stageOf(shape: Shape, events: readonly Event[], progress: Progress | null): Stage | 'ended' {
  const latest = new Map<string, Event>();
  for (const event of events)
    if (event.run_id !== null && event.type.startsWith('run.') && event.type !== 'run.log')
      latest.set(event.run_id, event);
  const running = [...latest.values()].find((event) => statusOf(event) === 'running');
  if (!running)
    return [...latest.values()].every((event) => statusOf(event) === 'succeeded') ? 'ended' : 'queued';
  const own = events.filter(({ run_id }) => run_id === running.run_id);
  const cognate = 'cognate' in running.payload && running.payload.cognate !== null;
  return cognate ? trainingStage(shape, own, progress) : breedingStage(shape, own, progress);
}

function statusOf(event: Event): string {
  return 'status' in event.payload ? event.payload.status : '';
}

function trainingStage(shape: Shape, events: readonly Event[], progress: Progress | null): Stage {
  const registered = events.filter(({ type }) => type === 'model.registered').length;
  const at = shape.training[registered];
  if (!at) return 'finishing';
  const [name, steps] = at;
  const before = shape.training.slice(0, registered).reduce((sum, [, count]) => sum + count, 0);
  const evaluated = events.flatMap((event) =>
    event.type === 'training.evaluated' && event.payload.stage === name ? [event.payload.step] : [],
  );
  if (evaluated.includes(steps)) return 'registration';
  const step = Math.max(0, ...evaluated, progress?.stage === name ? progress.done - before : 0);
  const due = step % shape.evalInterval === 0 || step === steps;
  if (due && !evaluated.includes(step)) return 'evaluation';
  return name === 'foundation' ? 'foundation' : 'specialist';
}

function breedingStage(shape: Shape, events: readonly Event[], progress: Progress | null): Stage {
  const count = (type: Event['type']) => events.filter((event) => event.type === type).length;
  if (count('model.registered') > 0) return 'finishing';
  if (count('generation.completed') >= shape.generations) return 'champion';
  if (count('candidate.evaluated') > 0 || progress?.stage.startsWith('generation')) return 'breeding';
  const barriers = events.filter(
    (event) => event.type === 'run.log' && event.payload.message.startsWith('merge barrier'),
  ).length;
  if (barriers >= shape.pairs) return 'breeding';
  return barriers > 0 ? 'barriers' : 'parents';
}
