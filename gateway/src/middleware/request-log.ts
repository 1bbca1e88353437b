/** One line a request: quiet where all is well, loud where not; never a token or ticket, never a query. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { type HttpLogger, pinoHttp } from 'pino-http';
import type { Problem } from '../../../openapi/problem.js';

type Locals = ServerResponse & { locals?: { trace?: { id: string }; problem?: Problem } };

const TICKET = /^(\/api\/v1\/downloads\/).+/;
const REQUEST_ID = /^[A-Za-z0-9._-]{1,100}$/;

export function requestLog(logger: Logger): HttpLogger {
  return pinoHttp({
    logger,
    quietReqLogger: true,
    genReqId(request, response) {
      const given = request.headers['x-request-id'];
      const id = typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
      response.setHeader('X-Request-Id', id);
      return id;
    },
    customProps: (_request, response) => ({ trace_id: traceId(response) }),
    customSuccessObject(_request, response: Locals, logged: object) {
      const { problem } = response.locals ?? {};
      if (!problem) return logged;
      const { code, errors, errors_omitted: omitted } = problem;
      return { ...logged, problem: code, faults: omitted === null ? null : errors.length + omitted };
    },
    customLogLevel(_request, response, error) {
      if (response.statusCode >= 500) return response.statusCode === 503 ? 'warn' : 'error';
      return error !== undefined || response.statusCode >= 400 ? 'info' : 'debug';
    },
    serializers: {
      req: ({ id, method, url }: { id: string; method: string; url: string }) => ({
        id,
        method,
        path: url.split('?', 1)[0]?.replace(TICKET, '$1…'),
      }),
      res: ({ statusCode }: { statusCode: number }) => ({ status: statusCode }),
    },
  });
}

function traceId(response: ServerResponse<IncomingMessage>): string | undefined {
  return (response as Locals).locals?.trace?.id;
}
