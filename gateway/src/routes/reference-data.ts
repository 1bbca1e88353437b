import { Router } from 'express';
import { route } from './route.js';
import type { Services } from './services.js';

/** What there is to choose from. */
export function referenceData({ backend, staleSince, timeouts }: Services): Router {
  const router = Router();
  const timeout = timeouts.ordinary;

  route(router, 'get', '/api/v1/presets', async ({ trace, signal }) => ({
    items: await backend.get('/v1/presets', { headers: trace, signal, timeout }),
    stale_since: staleSince(),
  }));

  route(router, 'get', '/api/v1/datasets', async ({ trace, signal }) => ({
    items: await backend.get('/v1/datasets', { headers: trace, signal, timeout }),
    stale_since: staleSince(),
  }));

  route(router, 'get', '/api/v1/merge-methods', async ({ trace, signal }) => ({
    items: await backend.get('/v1/merge-methods', { headers: trace, signal, timeout }),
    stale_since: staleSince(),
  }));

  return router;
}
