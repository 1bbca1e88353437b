import { Router } from 'express';
import { problem } from '../edge/problem.js';
import { repeatable, route } from './route.js';
import { arrived } from './runs.js';
import type { Services } from './services.js';

/** Cognate, then EvoMerge, by one call. */
export function pipelines(services: Services): Router {
  const { backend, reads, staleSince, timeouts } = services;
  const router = Router();

  route(
    router,
    'post',
    '/api/v1/pipelines',
    async ({ body, response, ...call }) => {
      const pipeline = await backend.post('/v1/pipelines', {
        body,
        headers: repeatable(call),
        timeout: timeouts.ordinary,
      });
      await arrived(services, pipeline.evomerge ?? pipeline.cognate);
      response.location(`/api/v1/pipelines/${pipeline.id}`);
      return { ...pipeline, stale_since: null };
    },
    202,
  );

  route(router, 'post', '/api/v1/pipelines/forecast', ({ body, trace, signal }) =>
    backend.post('/v1/pipelines/forecast', { body, headers: trace, signal, timeout: timeouts.ordinary }),
  );

  route(router, 'get', '/api/v1/pipelines/{pipeline_id}', async ({ path }) => {
    const pipeline = await reads.pipeline(path.pipeline_id);
    if (!pipeline) throw problem('not_found', `There is no pipeline ${path.pipeline_id}.`);
    return { ...pipeline, stale_since: staleSince() };
  });

  return router;
}
