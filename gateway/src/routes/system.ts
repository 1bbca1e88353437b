import { Router } from 'express';
import { ProblemError } from '../../../openapi/problem.js';
import { route } from './route.js';
import type { Services } from './services.js';

/** A backend that takes longer counts as not responding, ms. */
const PATIENCE = 2_000;

/** The whole state; the route answers also where the backend does not. */
export function system({ backend, staleSince, status }: Services): Router {
  const router = Router();

  route(router, 'get', '/api/v1/system', async ({ trace, signal }) => {
    const found = await backend
      .get('/v1/system', { headers: trace, signal, timeout: PATIENCE })
      .catch((error: unknown) => {
        if (error instanceof ProblemError) return null;
        throw error;
      });
    return { backend: found, gateway: status(), stale_since: staleSince() };
  });

  return router;
}
