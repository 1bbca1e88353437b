import { join } from 'node:path';
import type { Api, Run, S } from './contract.js';
import { draw, type Proof, prove } from './proof.js';

/** What `--json` prints: the outcome of a pipeline, from what the registry and the runs' reports say. */
export type Report = {
  ok: boolean;
  /** Null where one run was asked for. */
  pipeline: string | null;
  runs: { id: string; kind: string; status: string; failure: S['Failure'] | null }[];
  models: ModelLine[];
  /** Whether breeding was worth it, as the backend says; null where nothing was bred. */
  verdict: S['Verdict'] | null;
  champion: Champion | null;
  /** The best candidate without polished weights, where the champion's are polished. */
  unpolished: { candidate: string; heldout: S['Fitness'] } | null;
  baselines: S['Baseline'][];
  /** The task vectors that recipes combined; null where that was not decided, or nothing was bred. */
  basis: S['EvoMergeReport']['basis'];
  /** The fittest on fresh problems first. */
  finalists: S['Finalist'][];
  /** Id of the model that the parents' units were matched to; null where they were left as they are. */
  aligned_to: string | null;
  barriers: S['MergeBarrier'][];
  fitness_history: {
    generation: number;
    best: number;
    mean: number;
    worst: number;
    diversity: number;
    faulted: number;
  }[];
  /** First and last held-out scores of each dataset, by training stage. */
  heldout: { stage: string; dataset: string; first: S['TaskScore']; last: S['TaskScore'] }[];
  proof: Proof | null;
  timings: {
    cognate: S['Timings'] | null;
    evomerge: S['Timings'] | null;
    creation: S['CreationTiming'] | null;
    /** Seconds of the whole command, proof included. */
    command: number;
  };
};

export type ModelLine = {
  id: string;
  name: string;
  kind: string;
  parameters: number;
  bytes: number;
  digest: string;
  /** Absolute, on the backend's machine. */
  path: string;
  metrics: Record<string, number>;
};

export type Champion = ModelLine & {
  candidate: string;
  generation: number;
  op: string;
  /** Whether weights in its recipe were improved by gradient. */
  polished: boolean;
  fitness: S['Fitness'];
  heldout: S['Fitness'] | null;
  /** Why it has no held-out scores, where these were to be measured. */
  heldout_fault: S['Fault'] | null;
};

/** Gathers everything that is known of runs that have ended, then proves what there is. */
export async function makeReport(
  api: Api,
  pipeline: string | null,
  runs: Run[],
  settings: { proofs: number; started: number },
  told: (verification: S['Verification'], done: number, total: number) => void,
): Promise<Report> {
  const cognate = runs.find(({ kind }) => kind === 'cognate');
  const evomerge = runs.find(({ kind }) => kind === 'evomerge');
  const directory = (await api.get('/api/v1/system')).backend?.models_directory ?? '';
  const models = cognate ? await modelsOf(api, cognate) : [];
  const trained = cognate ? await reportOf(api, cognate, 'cognate') : null;
  const bred = evomerge ? await reportOf(api, evomerge, 'evomerge') : null;
  const championModel = bred?.champion_model_id ? await modelOf(api, bred.champion_model_id) : null;
  const succeeded = runs.every(({ status }) => status === 'succeeded');
  const drawn = evomerge
    ? draw(await candidateIds(api, evomerge.id), settings.proofs, evomerge.settings?.seed ?? 0)
    : [];
  const proof = succeeded
    ? await prove(api, { models, championId: championModel?.id ?? null, candidates: drawn }, told)
    : null;
  return {
    ok: succeeded && proof?.ok === true,
    pipeline,
    runs: runs.map(({ id, kind, status, failure }) => ({ id, kind, status, failure })),
    models: models.map((model) => modelLine(model, directory)),
    verdict: bred?.verdict ?? null,
    champion:
      bred?.champion && championModel
        ? {
            ...modelLine(championModel, directory),
            candidate: bred.champion.id,
            generation: bred.champion.generation,
            op: bred.champion.op,
            polished: bred.champion.polished,
            fitness: bred.champion.fitness,
            heldout: bred.champion_heldout,
            heldout_fault: bred.champion_heldout_fault,
          }
        : null,
    unpolished:
      bred?.champion?.polished && bred.unpolished_id && bred.unpolished_heldout
        ? { candidate: bred.unpolished_id, heldout: bred.unpolished_heldout }
        : null,
    baselines: bred?.baselines ?? [],
    basis: bred?.basis ?? null,
    finalists: bred?.finalists ?? [],
    aligned_to: bred?.aligned_to ?? null,
    barriers: bred?.barriers ?? [],
    fitness_history: (bred?.generations ?? []).map(({ index, best, mean, worst, diversity, faulted }) => ({
      generation: index,
      best,
      mean,
      worst,
      diversity,
      faulted,
    })),
    heldout: trained ? firstAndLast(trained) : [],
    proof,
    timings: {
      cognate: trained?.timings ?? null,
      evomerge: bred?.timings ?? null,
      creation: trained?.creation ?? null,
      command: (performance.now() - settings.started) / 1000,
    },
  };
}

type Reports = { cognate: S['CognateReport']; evomerge: S['EvoMergeReport'] };

async function reportOf<K extends keyof Reports>(api: Api, run: Run, kind: K): Promise<Reports[K] | null> {
  const report = await api.get('/api/v1/runs/{run_id}/report', { path: { run_id: run.id } });
  return report.kind === kind ? (report as Reports[K]) : null;
}

/** The run's own models, in the order in which it made them, without the foundation, which is no parent. */
async function modelsOf(api: Api, run: Run): Promise<S['Model'][]> {
  const models = await Promise.all(run.model_ids.map((id) => modelOf(api, id)));
  return models.filter(({ kind }) => kind !== 'foundation');
}

const modelOf = (api: Api, id: string) => api.get('/api/v1/models/{model_id}', { path: { model_id: id } });

async function candidateIds(api: Api, runId: string): Promise<string[]> {
  const ids: string[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page: S['CandidatePageView'] = await api.get('/api/v1/runs/{run_id}/candidates', {
      path: { run_id: runId },
      query: { limit: 200, ...(cursor === undefined ? {} : { cursor }) },
    });
    ids.push(...page.items.map(({ id }) => id));
    cursor = page.next_cursor;
  }
  return ids;
}

function modelLine(model: S['Model'], directory: string): ModelLine {
  const { id, name, kind, parameters, bytes, digest, metrics, files } = model;
  return { id, name, kind, parameters, bytes, digest, path: join(directory, files[0]?.path ?? ''), metrics };
}

function firstAndLast({ first, last }: S['CognateReport']): Report['heldout'] {
  return Object.entries(first).flatMap(([stage, scores]) =>
    scores.flatMap((score) => {
      const end = last[stage]?.find(({ dataset }) => dataset === score.dataset);
      return end ? [{ stage, dataset: score.dataset, first: score, last: end }] : [];
    }),
  );
}
