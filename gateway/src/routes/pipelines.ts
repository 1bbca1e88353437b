import { Router } from 'express';
import { forward } from './forward.js';
import { fromMirror } from './from-mirror.js';
import { arrived } from './runs.js';
import type { Services } from './services.js';

/** Cognate, then EvoMerge, by one call. */
export function pipelines(services: Services): Router {
  const router = Router();
  const read = fromMirror(router, services);
  const ask = forward(router, services);

  read('/api/v1/pipelines/{pipeline_id}', ({ path }) => services.reads.pipeline(path.pipeline_id));
  ask('post', '/api/v1/pipelines', {
    changes: true,
    status: 202,
    async answered(pipeline, { response }) {
      await arrived(services, pipeline.evomerge ?? pipeline.cognate);
      response.location(`/api/v1/pipelines/${pipeline.id}`);
      return { ...pipeline, stale_since: null };
    },
  });
  ask('post', '/api/v1/pipelines/forecast');
  return router;
}
