import { Router } from 'express';
import type { Run } from '../../../openapi/backend.js';
import { problem } from '../edge/problem.js';
import { route } from './route.js';
import type { Services } from './services.js';

/** Runs and what they leave: read from the mirror; commands, reports and series from the backend. */
export function runs(services: Services): Router {
  const { backend, reads, staleSince, timeouts } = services;
  const router = Router();
  const known = async (id: string) => {
    const run = await reads.run(id);
    if (!run) throw problem('not_found', `There is no run ${id}.`);
    return run;
  };

  route(router, 'get', '/api/v1/runs', async ({ query }) => ({
    ...(await reads.runs({ ...query, limit: query.limit ?? 50 })),
    stale_since: staleSince(),
  }));

  // Before the run by its id, which no summary is.
  route(router, 'get', '/api/v1/runs/summary', async () => ({
    ...(await reads.summary()),
    stale_since: staleSince(),
  }));

  route(router, 'get', '/api/v1/runs/{run_id}', async ({ path }) => ({
    ...(await known(path.run_id)),
    stale_since: staleSince(),
  }));

  route(router, 'get', '/api/v1/runs/{run_id}/report', ({ path, trace, signal }) =>
    backend.get('/v1/runs/{run_id}/report', { path, headers: trace, signal, timeout: timeouts.ordinary }),
  );

  route(router, 'get', '/api/v1/runs/{run_id}/series', async ({ path, trace, signal }) => ({
    items: await backend.get('/v1/runs/{run_id}/series', {
      path,
      headers: trace,
      signal,
      timeout: timeouts.ordinary,
    }),
    stale_since: staleSince(),
  }));

  route(router, 'get', '/api/v1/runs/{run_id}/logs', async ({ path, query }) => {
    await known(path.run_id);
    return { items: await reads.logs(path.run_id, query.limit ?? 200), stale_since: staleSince() };
  });

  route(router, 'get', '/api/v1/runs/{run_id}/evaluations', async ({ path }) => {
    await known(path.run_id);
    return { items: await reads.evaluations(path.run_id), stale_since: staleSince() };
  });

  route(router, 'get', '/api/v1/runs/{run_id}/generations', async ({ path }) => {
    await known(path.run_id);
    return { items: await reads.generations(path.run_id), stale_since: staleSince() };
  });

  route(router, 'get', '/api/v1/runs/{run_id}/candidates', async ({ path, query }) => {
    await known(path.run_id);
    return {
      ...(await reads.candidates(path.run_id, { ...query, limit: query.limit ?? 100 })),
      stale_since: staleSince(),
    };
  });

  route(
    router,
    'post',
    '/api/v1/runs/{run_id}/{command}',
    async ({ path, trace, response }) => {
      const run = await backend.post('/v1/runs/{run_id}/{command}', {
        path,
        headers: trace,
        timeout: timeouts.ordinary,
      });
      await arrived(services, run);
      response.location(`/api/v1/runs/${run.id}`);
      return { ...run, stale_since: null };
    },
    202,
  );

  return router;
}

/** Waits until the mirror shows the run at least as new as the backend's answer. */
export async function arrived({ reads, arrival }: Services, { id, updated_at }: Run): Promise<void> {
  await arrival(async () => {
    const run = await reads.run(id);
    return run !== null && run.updated_at >= updated_at;
  });
}
