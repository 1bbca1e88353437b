/** Routes that the type checker must refuse: a line without an error is one. */
import { Router } from 'express';
import { forward } from '../../gateway/src/routes/forward.js';
import { fromMirror } from '../../gateway/src/routes/from-mirror.js';
import type { Services } from '../../gateway/src/routes/services.js';

export function refused(services: Services): void {
  const router = Router();
  const ask = forward(router, services);
  const read = fromMirror(router, services);

  ask('get', '/api/v1/runs/{run_id}/report');
  // @ts-expect-error: the backend has no such path
  ask('get', '/api/v1/runs/summary');
  // @ts-expect-error: the gateway answers 202
  ask('post', '/api/v1/runs/{run_id}/{command}', { status: 201, answered: runAnswer });
  // @ts-expect-error: the gateway's list is an object, the backend's an array
  ask('get', '/api/v1/presets');
  // @ts-expect-error: the answer lacks `stale_since`
  ask('get', '/api/v1/presets', { answered: (items) => ({ items }) });

  read('/api/v1/runs/{run_id}', ({ path }) => services.reads.run(path.run_id));
  // @ts-expect-error: a candidate is no run
  read('/api/v1/runs/{run_id}', ({ path }) => services.reads.candidate(path.run_id));
  // @ts-expect-error: a report comes from the backend and is never stale
  read('/api/v1/runs/{run_id}/report', async () => null);
}

declare const runAnswer: never;
