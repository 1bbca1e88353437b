import type { Event, Generation, Model, Run, TrainingEvaluation } from '../api/schema.ts';
import type { ModelList, RunList, RunView } from './topic.ts';

/** Events carry the whole new state of a thing, so folding one twice changes nothing. */

const LOG_LINES = 1000;
/** More than a snapshot has, so that what is looked at stays for a while. Older ones are asked for by generation. */
const CANDIDATES = 2048;
/** As many as a snapshot has. Older ones are on the pages that REST gives. */
const RUNS = 100;

function put<T>(items: readonly T[], item: T, same: (a: T) => boolean): T[] {
  const at = items.findIndex(same);
  return at < 0 ? [...items, item] : items.with(at, item);
}

/** The order of every list of runs. */
export const newestFirst = (a: Run, b: Run): number =>
  Date.parse(b.created_at) - Date.parse(a.created_at) || (b.id < a.id ? -1 : 1);

export function foldRuns(list: RunList, event: Event): RunList {
  if (!isRunEvent(event)) return list;
  const run = event.payload;
  const at = list.items.findIndex((item) => item.id === run.id);
  if (at >= 0) return { ...list, items: list.items.with(at, run) };
  return { ...list, items: [...list.items, run].sort(newestFirst).slice(0, RUNS) };
}

export function foldModels(list: ModelList, event: Event): ModelList {
  switch (event.type) {
    case 'model.registered': {
      const model = event.payload;
      const at = list.items.findIndex((item) => item.id === model.id);
      return { ...list, items: at < 0 ? [model, ...list.items] : list.items.with(at, model) };
    }
    case 'model.deleted':
      return { ...list, items: list.items.filter((item) => item.id !== event.payload.id) };
    case 'model.verified':
      return { ...list, items: list.items.map((item) => verified(item, event)) };
    default:
      return list;
  }
}

export function foldRun(view: RunView, event: Event): RunView {
  switch (event.type) {
    case 'training.evaluated': {
      const next = event.payload;
      const same = (e: TrainingEvaluation) => e.stage === next.stage && e.step === next.step;
      return { ...view, evaluations: put(view.evaluations, next, same) };
    }
    case 'candidate.evaluated': {
      const next = event.payload;
      const at = view.candidates.findLastIndex(({ id }) => id === next.id);
      if (at >= 0) return { ...view, candidates: view.candidates.with(at, next) };
      return {
        ...view,
        candidates: [...view.candidates, next].slice(-CANDIDATES),
        candidate_count: view.candidate_count + 1,
      };
    }
    case 'generation.completed': {
      const next = event.payload;
      return { ...view, generations: put(view.generations, next, (g: Generation) => g.index === next.index) };
    }
    case 'run.log':
      return { ...view, logs: [...view.logs, event.payload].slice(-LOG_LINES) };
    case 'model.registered':
    case 'model.deleted':
    case 'model.verified':
      return view;
    default:
      return { ...view, run: event.payload };
  }
}

type RunEvent = Extract<Event, { payload: Run }>;

export function isRunEvent(event: Event): event is RunEvent {
  return event.type.startsWith('run.') && event.type !== 'run.log';
}

function verified(model: Model, event: Extract<Event, { type: 'model.verified' }>): Model {
  const { subject, subject_id, ok, time } = event.payload;
  return subject === 'model' && subject_id === model.id
    ? { ...model, verified: ok, verified_at: time }
    : model;
}
