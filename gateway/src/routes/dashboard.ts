/** The built dashboard: hashed assets for ever, the page itself never without asking. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import express, { Router } from 'express';
import { problem } from '../edge/problem.js';

/** Every path that is no file is the page's own affair; whatever looks like a file or an API is not. */
export function dashboard(directory: string): Router {
  const router = Router();
  const page = join(directory, 'index.html');

  router.use(
    '/assets',
    express.static(join(directory, 'assets'), {
      immutable: true,
      maxAge: '1y',
      index: false,
      fallthrough: true,
    }),
  );
  router.use(express.static(directory, { index: false, cacheControl: false, setHeaders: revalidate }));
  router.get('/{*path}', (request, response, next) => {
    if (/^\/(api|assets|metrics|socket\.io)(\/|$)/.test(request.path) || /\.[a-z0-9]+$/i.test(request.path)) {
      next();
      return;
    }
    if (!existsSync(page)) {
      throw problem('not_found', 'The dashboard has not been built; `npm run setup` builds it.');
    }
    revalidate(response);
    response.sendFile(page, { cacheControl: false });
  });
  return router;
}

function revalidate(response: { setHeader(name: string, value: string): unknown }): void {
  response.setHeader('Cache-Control', 'no-cache');
}
