import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { problem } from '../edge/problem.js';

export type Deadline = {
  /** For a whole request to arrive, ms. */
  ordinaryMs: number;
  /** Whether the request carries a file, which may take as long as the server allows. */
  isTransfer(request: IncomingMessage): boolean;
};

/**
 * Ends requests whose body does not arrive in time, with 408. Node has one `requestTimeout` for all of a server, which
 * has to be that of a file.
 */
export function limitArrival(http: Server, { ordinaryMs, isTransfer }: Deadline): void {
  http.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    if (!hasBody(request)) return;
    const timer = setTimeout(() => {
      if (request.complete || (isTransfer(request) && !response.writableEnded)) return;
      if (response.headersSent) request.destroy();
      else refuse(request, response, ordinaryMs);
    }, ordinaryMs);
    timer.unref();
    const end = () => clearTimeout(timer);
    request.once('end', end).once('close', end);
  });
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function refuse(request: IncomingMessage, response: ServerResponse, ms: number): void {
  const { problem: body } = problem('request_timeout', `The body did not arrive within ${ms / 1000} s.`);
  response.once('finish', () => request.destroy());
  response.writeHead(body.status, {
    'Content-Type': 'application/problem+json',
    'Cache-Control': 'no-store',
    Connection: 'close',
  });
  response.end(JSON.stringify({ ...body, instance: request.url?.split('?', 1)[0] ?? null }));
}
