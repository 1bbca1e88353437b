import { Router } from 'express';
import type { ImportFile } from '../../../openapi/backend.js';
import { forward } from './forward.js';
import type { Services } from './services.js';
import { relay } from './transfer.js';

/** Folders that people bring, file by file. What has come of them only the backend knows. */
export function imports(services: Services): Router {
  const { reads, arrival } = services;
  const router = Router();
  const ask = forward(router, services);

  router.put(
    '/api/v1/imports/:import_id/files/:name',
    relay<ImportFile>(services, ({ params, query }) => ({
      method: 'put',
      url: `/v1/imports/${encodeURIComponent(String(params.import_id))}/files/${encodeURIComponent(String(params.name))}`,
      params: { offset: query.offset },
    })),
  );
  ask('post', '/api/v1/imports', { status: 201 });
  ask('get', '/api/v1/imports/{import_id}', {
    async answered(found) {
      const { model_id } = found;
      // Whoever is told of the model goes to it next.
      if (model_id !== null) await arrival(async () => (await reads.model(model_id)) !== null);
      return found;
    },
  });
  ask('post', '/api/v1/imports/{import_id}/finish', { changes: true, status: 202 });
  ask('delete', '/api/v1/imports/{import_id}', { changes: true, status: 204 });
  return router;
}
