import { Router } from 'express';
import { forward } from './forward.js';
import { runAnswered } from './runs.js';
import type { Services } from './services.js';

/** What starts a run and what forecasts one: Cognate makes parents, EvoMerge breeds registered models, a merge makes one of them. */
export function phases(services: Services): Router {
  const router = Router();
  const ask = forward(router, services);
  const answered = runAnswered(services);

  ask('post', '/api/v1/cognate/runs', { changes: true, status: 202, answered });
  ask('post', '/api/v1/cognate/forecast');
  ask('post', '/api/v1/evomerge/runs', { changes: true, status: 202, answered });
  ask('post', '/api/v1/evomerge/forecast');
  ask('post', '/api/v1/evomerge/configuration');
  ask('post', '/api/v1/merges', { changes: true, status: 202, answered });
  ask('post', '/api/v1/merges/forecast');
  return router;
}
