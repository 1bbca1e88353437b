import type { RequestListener } from 'node:http';
import { problem } from './problem.js';

/** Answers while the database is being opened: the port is ours already, nothing behind it is ready. */
export const answerStarting: RequestListener = (request, response) => {
  if (request.url === '/healthz') {
    response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
    response.end('{"status":"ok"}');
    return;
  }
  const { problem: body, headers } = problem('starting', 'The gateway is opening its database.');
  response.writeHead(body.status, {
    'Content-Type': 'application/problem+json',
    'Cache-Control': 'no-store',
    'Retry-After': headers['retry-after'] ?? '1',
    // The request's body is not read.
    Connection: 'close',
  });
  response.end(JSON.stringify(body));
};
