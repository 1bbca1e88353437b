import { type Response, Router } from 'express';
import type { Run } from '../../../openapi/backend.js';
import { forward } from './forward.js';
import { fromMirror } from './from-mirror.js';
import { itemsAnswered } from './reference-data.js';
import type { Services } from './services.js';

/** Runs and what they leave: read from the mirror; commands, reports and series from the backend. */
export function runs(services: Services): Router {
  const { reads } = services;
  const router = Router();
  const read = fromMirror(router, services);
  const ask = forward(router, services);
  /** What belongs to a run; null where there is no such run, rather than empty. */
  const ofRun = async <Rows>(id: string, rows: (id: string) => Promise<Rows>) =>
    (await reads.run(id)) && rows(id);
  const itemsOfRun = <Item>(id: string, items: (id: string) => Promise<Item[]>) =>
    ofRun(id, async () => ({ items: await items(id) }));

  read('/api/v1/runs', ({ query }) => reads.runs({ ...query, limit: query.limit ?? 50 }));
  // Before the run by its id, since express takes the first path that matches.
  read('/api/v1/runs/summary', () => reads.summary());
  read('/api/v1/runs/{run_id}', ({ path }) => reads.run(path.run_id));
  read('/api/v1/runs/{run_id}/logs', ({ path, query }) =>
    itemsOfRun(path.run_id, (id) => reads.logs(id, query.limit ?? 200)),
  );
  read('/api/v1/runs/{run_id}/evaluations', ({ path }) => itemsOfRun(path.run_id, reads.evaluations));
  read('/api/v1/runs/{run_id}/generations', ({ path }) => itemsOfRun(path.run_id, reads.generations));
  read('/api/v1/runs/{run_id}/candidates', ({ path, query }) =>
    ofRun(path.run_id, (id) => reads.candidates(id, { ...query, limit: query.limit ?? 100 })),
  );

  ask('get', '/api/v1/runs/{run_id}/report');
  ask('get', '/api/v1/runs/{run_id}/series', { answered: itemsAnswered(services) });
  ask('post', '/api/v1/runs/{run_id}/{command}', {
    changes: true,
    status: 202,
    answered: runAnswered(services),
  });
  return router;
}

/** Answers with the run that was started or changed, when the mirror shows it so, and says where it is. */
export function runAnswered(services: Services) {
  return async (run: Run, { response }: { response: Response }) => {
    await arrived(services, run);
    response.location(`/api/v1/runs/${run.id}`);
    return { ...run, stale_since: null };
  };
}

/** Waits until the mirror shows the run at least as new as the backend's answer. */
export async function arrived({ reads, arrival }: Services, { id, updated_at }: Run): Promise<void> {
  await arrival(async () => {
    const run = await reads.run(id);
    return run !== null && run.updated_at >= updated_at;
  });
}
