/**
 * The rendered specification. The page itself is static and open, as the dashboard is; the document that it
 * shows needs the token, which the page takes from where the dashboard keeps it, or from its own fragment.
 */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import express, { Router } from 'express';

const ASSETS = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'];

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Agent Forge API</title>
<link rel="icon" href="/api/docs/favicon-32x32.png">
<link rel="stylesheet" href="/api/docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="/api/docs/swagger-ui-bundle.js"></script>
<script src="/api/docs/page.js"></script>
</body>
</html>
`;

/** \`TOKEN_KEY\` is the dashboard's key in localStorage and sessionStorage. */
const TOKEN_KEY = 'agent-forge.token';

const SCRIPT = `const key = ${JSON.stringify(TOKEN_KEY)};
const given = new URLSearchParams(location.hash.slice(1)).get('token');
if (given) {
  sessionStorage.setItem(key, given);
  history.replaceState(null, '', location.pathname);
}
const token = given ?? sessionStorage.getItem(key) ?? localStorage.getItem(key);
const ui = SwaggerUIBundle({
  dom_id: '#docs',
  url: '/api/openapi.json',
  deepLinking: false,
  validatorUrl: null,
  requestInterceptor(request) {
    if (token && new URL(request.url, location.href).origin === location.origin) {
      request.headers.Authorization = 'Bearer ' + token;
    }
    return request;
  },
});
`;

export function docs(): Router {
  const router = Router();
  const assets = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  const serve = express.static(assets, { index: false, maxAge: '1h' });

  router.get('/api/docs', (_request, response) => {
    response.type('html').set('Cache-Control', 'no-cache').send(PAGE);
  });
  router.get('/api/docs/page.js', (_request, response) => {
    response.type('js').set('Cache-Control', 'no-cache').send(SCRIPT);
  });
  router.use('/api/docs', (request, response, next) => {
    if (ASSETS.includes(request.path.slice(1))) serve(request, response, next);
    else next();
  });
  return router;
}
