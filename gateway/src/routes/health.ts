import { Router } from 'express';
import type { BackendReadiness } from '../../../openapi/backend.js';
import type { Readiness } from '../../../openapi/gateway.js';
import type { Services } from './services.js';

/** Liveness and readiness, without a token. */
export function health({ backendReadiness, checkDatabase, staleSince, status, stopping }: Services): Router {
  const router = Router();

  router.get('/healthz', (_request, response) => {
    response.set('Cache-Control', 'no-store').json({ status: 'ok' });
  });

  router.get('/readyz', async (_request, response) => {
    const { backend_state, mirror } = status();
    const database = await checkDatabase().then(
      () => ({ ok: true, detail: 'answers' }),
      () => ({ ok: false, detail: 'does not answer' }),
    );
    const work = await backendReadiness();
    const stale = staleSince();
    const dependencies: Readiness['dependencies'] = [
      { name: 'database', ...database },
      { name: 'backend', ok: stale === null, detail: backend_state },
      { name: 'mirror', ok: mirror.connected, detail: mirror.connected ? 'follows' : `stale since ${stale}` },
      { name: 'workers', ok: work?.status === 'ready', detail: workersInWords(work) },
      { name: 'shutdown', ok: !stopping(), detail: stopping() ? 'under way' : 'not asked for' },
    ];
    const unavailable = !database.ok || stopping();
    const body: Readiness = {
      status: unavailable ? 'unavailable' : dependencies.every(({ ok }) => ok) ? 'ready' : 'degraded',
      dependencies,
    };
    response
      .status(unavailable ? 503 : 200)
      .set('Cache-Control', 'no-store')
      .json(body);
  });

  return router;
}

function workersInWords(work: BackendReadiness | null): string {
  if (work === null) return 'unknown: the backend does not answer';
  const { workers_alive, workers_wanted, faults } = work;
  return [`${workers_alive} of ${workers_wanted} alive`, ...faults].join('; ');
}
