import { Router } from 'express';
import { route } from './route.js';
import { arrived } from './runs.js';
import type { Services } from './services.js';

/** Making and training the parents. */
export function cognate(services: Services): Router {
  const { backend, timeouts } = services;
  const router = Router();

  route(
    router,
    'post',
    '/api/v1/cognate/runs',
    async ({ body, headers, trace, response }) => {
      const run = await backend.post('/v1/cognate/runs', {
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

  route(router, 'post', '/api/v1/cognate/forecast', ({ body, trace, signal }) =>
    backend.post('/v1/cognate/forecast', { body, headers: trace, signal, timeout: timeouts.ordinary }),
  );

  return router;
}

/** The caller's key, so that a repeat through the gateway is a repeat at the backend. */
export function idempotencyKey(headers: Record<string, string | string[] | undefined>): string | null {
  const key = headers['idempotency-key'];
  return typeof key === 'string' ? key : null;
}
