import { Router } from 'express';
import { forward } from './forward.js';
import type { Services } from './services.js';

/** What there is to choose from. */
export function referenceData(services: Services): Router {
  const router = Router();
  const ask = forward(router, services);
  const answered = itemsAnswered(services);

  ask('get', '/api/v1/presets', { answered });
  ask('get', '/api/v1/datasets', { answered });
  ask('get', '/api/v1/merge-methods', { answered });
  return router;
}

/** The backend's lists that are whole are bare arrays; the gateway's are objects, which can say that they are stale. */
export function itemsAnswered({ staleSince }: Services) {
  return <Item>(items: Item[]) => ({ items, stale_since: staleSince() });
}
