/** What a pipeline leaves behind, without what two runs of one configuration may differ in: ids, names and times. */
import type { Event, Run } from '../../openapi/backend.js';
import type { Client } from '../../openapi/client.js';
import type { paths } from '../../openapi/gateway.js';

export type Outcome = Record<string, unknown>;

/** Times and rates; the hash of a file, whose header holds the run's id (the digest of its tensors is compared). */
const VARYING = new Set([
  'created_at',
  'time',
  'seconds',
  'merge_seconds',
  'evaluate_seconds',
  'elapsed_seconds',
  'tokens_per_second',
  'timings',
  'creation',
  'file_sha256',
  'verified_at',
  'stale_since',
]);

export async function outcomeOf(api: Client<paths>, pipeline: string): Promise<Outcome> {
  const found = await api.get('/api/v1/pipelines/{pipeline_id}', { path: { pipeline_id: pipeline } });
  const runs = [found.cognate, ...(found.evomerge ? [found.evomerge] : [])];
  const names = new Map<string, string>([[pipeline, 'PIPELINE']]);
  const parts: Outcome = {};
  for (const run of runs) {
    const part = await partOf(api, run);
    names.set(run.id, run.kind.toUpperCase());
    names.set(run.id.slice(-8).toLowerCase(), 'SESSION');
    for (const [index, model] of part.models.entries()) names.set(model.id, `${run.kind}-model-${index}`);
    parts[run.kind] = part;
  }
  // The name of an op in a pedigree is a digest of its recipe, ids of models included.
  for (const [op] of JSON.stringify(parts).matchAll(/op:[0-9a-f]{16}/g))
    if (!names.has(op)) names.set(op, `op:${names.size}`);
  return plain(parts, names) as Outcome;
}

async function partOf(api: Client<paths>, { id, ...run }: Run) {
  const path = { path: { run_id: id } };
  const models = await Promise.all(
    run.model_ids.map((model_id) => api.get('/api/v1/models/{model_id}', { path: { model_id } })),
  );
  const candidates = [];
  let cursor: string | null = null;
  do {
    const page: { items: unknown[]; next_cursor: string | null } = await api.get(
      '/api/v1/runs/{run_id}/candidates',
      { ...path, query: cursor === null ? { limit: 500 } : { limit: 500, cursor } },
    );
    candidates.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor);
  return {
    status: run.status,
    failure: run.failure,
    champion: [run.champion_id, run.champion_model_id, run.champion_fitness],
    progress: [run.progress.done, run.progress.total],
    models: models.map((model) => ({ ...model, metadata: null })),
    lineage: await Promise.all(
      run.model_ids.map((model_id) => api.get('/api/v1/models/{model_id}/lineage', { path: { model_id } })),
    ),
    evaluations: await api.get('/api/v1/runs/{run_id}/evaluations', path),
    series: await api.get('/api/v1/runs/{run_id}/series', path),
    generations: await api.get('/api/v1/runs/{run_id}/generations', path),
    candidates,
    report: await api.get('/api/v1/runs/{run_id}/report', path),
  };
}

function plain(value: unknown, names: ReadonlyMap<string, string>): unknown {
  if (typeof value === 'string') {
    let text = value;
    for (const [name, stable] of names) text = text.replaceAll(name, stable);
    return text.replaceAll(/\d{8}_\d{6}/g, 'STAMP');
  }
  if (Array.isArray(value)) return value.map((item) => plain(item, names));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !VARYING.has(key))
      .map(([key, item]) => [plain(key, names) as string, plain(item, names)]),
  );
}

/** What the log of one run says of its work, in order; starts, interruptions and log lines are left out. */
export function work(events: readonly Event[]): string[] {
  return events.flatMap((event) => {
    switch (event.type) {
      case 'training.evaluated':
        return [`evaluated ${event.payload.stage} ${event.payload.step}`];
      case 'candidate.evaluated':
        return [`candidate ${event.payload.generation} ${event.payload.slot}`];
      case 'generation.completed':
        return [`generation ${event.payload.index}`];
      case 'model.registered':
        return [`registered ${event.payload.kind} ${event.payload.specialization}`];
      case 'run.created':
      case 'run.succeeded':
        return [event.type];
      default:
        return [];
    }
  });
}
