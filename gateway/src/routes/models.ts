import { Router } from 'express';
import { forward } from './forward.js';
import { fromMirror } from './from-mirror.js';
import { streamPrediction } from './predictions.js';
import type { Services } from './services.js';
import { download, downloadConfiguration, downloadFile, issueTicket, upload } from './transfer.js';

/** The registry: lists from the mirror, files and proofs from the backend. */
export function models(services: Services): Router {
  const { backend, reads, arrival, timeouts } = services;
  const router = Router();
  const read = fromMirror(router, services);
  const ask = forward(router, services);

  router.post('/api/v1/models/import', upload(services));
  router.get('/api/v1/models/:model_id/recipe.yaml', downloadConfiguration(services));
  router.get('/api/v1/models/:model_id/download', download(services));
  router.get('/api/v1/models/:model_id/files/:name', downloadFile(services));
  router.post('/api/v1/models/:model_id/download-tickets', issueTicket(services));
  router.post('/api/v1/models/:model_id/predict/stream', streamPrediction(services));

  read('/api/v1/models', ({ query }) => reads.models({ ...query, limit: query.limit ?? 50 }));
  read('/api/v1/models/{model_id}', async ({ path, trace, signal }) => {
    const found = await reads.model(path.model_id);
    if (!found) return null;
    if (found.detail) return { ...found.model, ...found.detail };
    // The mirror has no parameter table yet: events do not carry it.
    return backend.get('/v1/models/{model_id}', {
      path,
      headers: trace,
      signal,
      timeout: timeouts.ordinary,
    });
  });
  ask('delete', '/api/v1/models/{model_id}', {
    changes: true,
    status: 204,
    async answered(_nothing, { path }) {
      await arrival(async () => (await reads.model(path.model_id)) === null);
    },
  });
  ask('get', '/api/v1/models/{model_id}/lineage');
  ask('post', '/api/v1/models/{model_id}/verify', { timeout: 'long' });
  ask('post', '/api/v1/models/{model_id}/predict', { timeout: 'long' });
  return router;
}
