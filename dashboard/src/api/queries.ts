import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { gateway } from './gateway.ts';
import type {
  CognateConfig,
  EvoMergeConfig,
  MergeConfig,
  PipelineConfig,
  RunKind,
  RunStatus,
} from './schema.ts';

/** Answers of the gateway as queries. `live/live.ts` invalidates them by these keys. */

const forever = { staleTime: Number.POSITIVE_INFINITY };

export const presets = queryOptions({
  queryKey: ['presets'],
  queryFn: async ({ signal }) => (await gateway.get('/api/v1/presets', { signal })).items,
  ...forever,
});

export const datasets = queryOptions({
  queryKey: ['datasets'],
  queryFn: async ({ signal }) => (await gateway.get('/api/v1/datasets', { signal })).items,
  ...forever,
});

export const mergeMethods = queryOptions({
  queryKey: ['merge-methods'],
  queryFn: async ({ signal }) => (await gateway.get('/api/v1/merge-methods', { signal })).items,
  ...forever,
});

export const system = queryOptions({
  queryKey: ['system'],
  queryFn: ({ signal }) => gateway.get('/api/v1/system', { signal }),
});

export const report = (runId: string) =>
  queryOptions({
    queryKey: ['report', runId],
    queryFn: ({ signal }) => gateway.get('/api/v1/runs/{run_id}/report', { path: { run_id: runId }, signal }),
  });

export const series = (runId: string) =>
  queryOptions({
    queryKey: ['series', runId],
    queryFn: async ({ signal }) =>
      (await gateway.get('/api/v1/runs/{run_id}/series', { path: { run_id: runId }, signal })).items,
  });

export const model = (modelId: string) =>
  queryOptions({
    queryKey: ['model', modelId],
    queryFn: ({ signal }) =>
      gateway.get('/api/v1/models/{model_id}', { path: { model_id: modelId }, signal }),
  });

/** The models that a run has made. */
export const runModels = (runId: string) =>
  queryOptions({
    queryKey: ['models', { run: runId }],
    queryFn: async ({ signal }) =>
      (await gateway.get('/api/v1/models', { query: { run_id: runId, limit: 100 }, signal })).items,
  });

export const lineage = (modelId: string) =>
  queryOptions({
    queryKey: ['lineage', modelId],
    queryFn: ({ signal }) =>
      gateway.get('/api/v1/models/{model_id}/lineage', { path: { model_id: modelId }, signal }),
  });

export type ModelSort = 'created_at' | '-created_at' | 'name' | '-name' | 'bytes' | '-bytes';

export const modelPages = (filter: { search: string; sort: ModelSort }) =>
  infiniteQueryOptions({
    queryKey: ['models', filter],
    queryFn: ({ signal, pageParam }) =>
      gateway.get('/api/v1/models', {
        query: {
          sort: filter.sort,
          limit: 25,
          ...(filter.search ? { search: filter.search } : {}),
          ...(pageParam ? { cursor: pageParam } : {}),
        },
        signal,
      }),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
  });

export type RunFilter = { kind: RunKind | null; status: RunStatus | null };

export const runPages = (filter: RunFilter) =>
  infiniteQueryOptions({
    queryKey: ['runs', filter],
    queryFn: ({ signal, pageParam }) =>
      gateway.get('/api/v1/runs', {
        query: {
          limit: 50,
          ...(filter.kind ? { kind: filter.kind } : {}),
          ...(filter.status ? { status: filter.status } : {}),
          ...(pageParam ? { cursor: pageParam } : {}),
        },
        signal,
      }),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
  });

/** What has been evaluated does not change: asked for once. */
export const generationCandidates = (runId: string, generation: number) =>
  queryOptions({
    queryKey: ['candidates', runId, generation],
    queryFn: async ({ signal }) =>
      (
        await gateway.get('/api/v1/runs/{run_id}/candidates', {
          path: { run_id: runId },
          query: { generation, limit: 100 },
          signal,
        })
      ).items,
    ...forever,
  });

export const candidate = (candidateId: string) =>
  queryOptions({
    queryKey: ['candidate', candidateId],
    queryFn: ({ signal }) =>
      gateway.get('/api/v1/candidates/{candidate_id}', { path: { candidate_id: candidateId }, signal }),
    ...forever,
  });

/** Counts, the work of now and the best champion, over all runs. */
export const runsSummary = queryOptions({
  queryKey: ['runs-summary'],
  queryFn: ({ signal }) => gateway.get('/api/v1/runs/summary', { signal }),
});

const forecast = { placeholderData: keepPreviousData, staleTime: 30_000, retry: false } as const;

export const cognateForecast = (config: CognateConfig) =>
  queryOptions({
    queryKey: ['forecast', 'cognate', config],
    queryFn: ({ signal }) => gateway.post('/api/v1/cognate/forecast', { body: config, signal }),
    ...forecast,
  });

export const evomergeForecast = (config: EvoMergeConfig) =>
  queryOptions({
    queryKey: ['forecast', 'evomerge', config],
    queryFn: ({ signal }) => gateway.post('/api/v1/evomerge/forecast', { body: config, signal }),
    enabled: config.parents.length >= 2,
    ...forecast,
  });

export const mergeForecast = (config: MergeConfig) =>
  queryOptions({
    queryKey: ['forecast', 'merge', config],
    queryFn: ({ signal }) => gateway.post('/api/v1/merges/forecast', { body: config, signal }),
    ...forecast,
  });

export const pipelineForecast = (config: PipelineConfig) =>
  queryOptions({
    queryKey: ['forecast', 'pipeline', config],
    queryFn: ({ signal }) => gateway.post('/api/v1/pipelines/forecast', { body: config, signal }),
    ...forecast,
  });
