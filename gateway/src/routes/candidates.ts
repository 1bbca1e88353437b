import { Router } from 'express';
import { problem } from '../edge/problem.js';
import { route } from './route.js';
import type { Services } from './services.js';

/** Single candidates: read from the mirror, rebuilt by the backend. */
export function candidates({ backend, reads, staleSince, arrival, timeouts }: Services): Router {
  const router = Router();

  route(router, 'get', '/api/v1/candidates/{candidate_id}', async ({ path }) => {
    const candidate = await reads.candidate(path.candidate_id);
    if (!candidate) throw problem('not_found', `There is no candidate ${path.candidate_id}.`);
    return { ...candidate, stale_since: staleSince() };
  });

  route(router, 'post', '/api/v1/candidates/{candidate_id}/verify', ({ path, trace, signal }) =>
    backend.post('/v1/candidates/{candidate_id}/verify', {
      path,
      headers: trace,
      signal,
      timeout: timeouts.long,
    }),
  );

  route(
    router,
    'post',
    '/api/v1/candidates/{candidate_id}/materialize',
    async ({ path, trace }) => {
      const model = await backend.post('/v1/candidates/{candidate_id}/materialize', {
        path,
        headers: trace,
        timeout: timeouts.long,
      });
      await arrival(async () => (await reads.model(model.id)) !== null);
      return model;
    },
    201,
  );

  return router;
}
