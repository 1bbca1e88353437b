import { type Response, Router } from 'express';
import type { Run } from '../../../openapi/backend.js';
import { repeatable, route } from './route.js';
import { arrived } from './runs.js';
import type { Services } from './services.js';

/** What starts a run of a phase, and what forecasts one: Cognate makes parents, EvoMerge breeds registered models. */
export function phases(services: Services): Router {
  const { backend, timeouts } = services;
  const { ordinary: timeout } = timeouts;
  const router = Router();
  const started = async (run: Run, response: Response) => {
    await arrived(services, run);
    response.location(`/api/v1/runs/${run.id}`);
    return { ...run, stale_since: null };
  };

  route(
    router,
    'post',
    '/api/v1/cognate/runs',
    async ({ body, response, ...call }) =>
      started(await backend.post('/v1/cognate/runs', { body, headers: repeatable(call), timeout }), response),
    202,
  );

  route(
    router,
    'post',
    '/api/v1/evomerge/runs',
    async ({ body, response, ...call }) =>
      started(
        await backend.post('/v1/evomerge/runs', { body, headers: repeatable(call), timeout }),
        response,
      ),
    202,
  );

  route(router, 'post', '/api/v1/cognate/forecast', ({ body, trace, signal }) =>
    backend.post('/v1/cognate/forecast', { body, headers: trace, signal, timeout }),
  );

  route(router, 'post', '/api/v1/evomerge/forecast', ({ body, trace, signal }) =>
    backend.post('/v1/evomerge/forecast', { body, headers: trace, signal, timeout }),
  );

  return router;
}
