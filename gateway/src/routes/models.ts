import { Router } from 'express';
import { problem } from '../edge/problem.js';
import { route } from './route.js';
import type { Services } from './services.js';
import { download, issueTicket, upload } from './transfer.js';

/** The registry: lists from the mirror, files and proofs from the backend. */
export function models(services: Services): Router {
  const { backend, reads, staleSince, arrival, timeouts } = services;
  const router = Router();

  route(router, 'get', '/api/v1/models', async ({ query }) => ({
    ...(await reads.models({ ...query, limit: query.limit ?? 50 })),
    stale_since: staleSince(),
  }));

  router.post('/api/v1/models/import', upload(services));
  router.get('/api/v1/models/:model_id/download', download(services));
  router.post('/api/v1/models/:model_id/download-tickets', issueTicket(services));

  route(router, 'get', '/api/v1/models/{model_id}', async ({ path, trace, signal }) => {
    const found = await reads.model(path.model_id);
    if (!found) throw problem('not_found', `There is no model ${path.model_id}.`);
    const { model, detail } = found;
    if (detail) return { ...model, ...detail, stale_since: staleSince() };
    // Its parameter table has not come yet: events do not carry it.
    const asked = await backend.get('/v1/models/{model_id}', {
      path,
      headers: trace,
      signal,
      timeout: timeouts.ordinary,
    });
    return { ...asked, stale_since: staleSince() };
  });

  router.delete('/api/v1/models/:model_id', async (request, response) => {
    await backend.delete('/v1/models/{model_id}', {
      path: { model_id: request.params.model_id },
      headers: { traceparent: response.locals.trace.traceparent },
      timeout: timeouts.ordinary,
    });
    await arrival(async () => (await reads.model(request.params.model_id)) === null);
    response.status(204).end();
  });

  route(router, 'get', '/api/v1/models/{model_id}/lineage', ({ path, trace, signal }) =>
    backend.get('/v1/models/{model_id}/lineage', {
      path,
      headers: trace,
      signal,
      timeout: timeouts.ordinary,
    }),
  );

  route(router, 'post', '/api/v1/models/{model_id}/verify', ({ path, body, trace, signal }) =>
    backend.post('/v1/models/{model_id}/verify', {
      path,
      body: body ?? {},
      headers: trace,
      signal,
      timeout: timeouts.long,
    }),
  );

  route(router, 'post', '/api/v1/models/{model_id}/predict', ({ path, body, trace, signal }) =>
    backend.post('/v1/models/{model_id}/predict', {
      path,
      body,
      headers: trace,
      signal,
      timeout: timeouts.long,
    }),
  );

  return router;
}
