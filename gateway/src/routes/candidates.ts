import { Router } from 'express';
import { forward } from './forward.js';
import { fromMirror } from './from-mirror.js';
import type { Services } from './services.js';

/** Single candidates: read from the mirror, rebuilt by the backend. */
export function candidates(services: Services): Router {
  const { reads, arrival } = services;
  const router = Router();
  const read = fromMirror(router, services);
  const ask = forward(router, services);

  read('/api/v1/candidates/{candidate_id}', ({ path }) => reads.candidate(path.candidate_id));
  ask('post', '/api/v1/candidates/{candidate_id}/verify', { timeout: 'long' });
  ask('post', '/api/v1/candidates/{candidate_id}/materialize', {
    timeout: 'long',
    changes: true,
    status: 201,
    async answered(model) {
      await arrival(async () => (await reads.model(model.id)) !== null);
      return model;
    },
  });
  return router;
}
