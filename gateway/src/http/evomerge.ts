import { Router } from 'express';
import { idempotencyKey } from './cognate.js';
import { route } from './route.js';
import { arrived } from './runs.js';
import type { Services } from './services.js';

/** Breeding registered models. */
export function evomerge(services: Services): Router {
  const { backend, timeouts } = services;
  const router = Router();

  route(
    router,
    'post',
    '/api/v1/evomerge/runs',
    async ({ body, headers, trace, response }) => {
      const run = await backend.post('/v1/evomerge/runs', {
        body,
        headers: { ...trace, 'Idempotency-Key': idempotencyKey(headers) },
        timeout: timeouts.ordinary,
      });
      await arrived(services, run);
      response.location(`/api/v1/runs/${run.id}`);
      return { ...run, stale_since: null };
    },
    202,
  );

  route(router, 'post', '/api/v1/evomerge/forecast', ({ body, trace, signal }) =>
    backend.post('/v1/evomerge/forecast', { body, headers: trace, signal, timeout: timeouts.ordinary }),
  );

  return router;
}
