/** Whatever is thrown becomes a problem document, once, at the edge. */
import 'pino-http';
import { isCancel } from 'axios';
import type { ErrorRequestHandler, Request, RequestHandler } from 'express';
import { normalise } from '../../../openapi/client.js';
import { ProblemError } from '../../../openapi/problem.js';
import { problem } from '../edge/problem.js';
import type { Specification } from '../edge/specification.js';
import { InvalidCursorError } from '../mirror/keyset.js';
import { describeFaults } from './field-errors.js';
import { isValidatorError, type ValidatorError } from './validation.js';

export function notFound(): RequestHandler {
  return function unknownPath(request) {
    throw problem('not_found', `There is nothing at ${request.path}.`);
  };
}

export function problemHandler(specification: Specification): ErrorRequestHandler {
  return function answerProblem(error: unknown, request, response, _next) {
    if (response.headersSent) {
      // Half an answer can't be taken back; cutting the connection tells the client that it is not whole.
      request.log.warn({ err: error }, 'answer cut off');
      response.destroy();
      return;
    }
    const known = toProblem(specification, request, error);
    const { trace } = response.locals;
    // pino-http logs this error with the request, cause included. A client's mistake is logged by its code alone:
    // whoever sends many of them must not fill the log.
    if (known.problem.status >= 500) response.err = known;
    else response.locals.problem = known.problem;
    const retryAfter = known.headers['retry-after'];
    if (retryAfter !== undefined) response.set('Retry-After', retryAfter);
    const allow = isValidatorError(error) ? error.headers?.Allow : undefined;
    if (allow !== undefined) response.set('Allow', allow);
    response
      .status(known.problem.status)
      .type('application/problem+json')
      .set('Cache-Control', 'no-store')
      .send(
        JSON.stringify({
          ...known.problem,
          instance: request.path,
          trace_id: trace?.id ?? null,
        }),
      );
  };
}

export function toProblem(specification: Specification, request: Request, thrown: unknown): ProblemError {
  const error = normalise(thrown);
  if (error instanceof ProblemError) return fromBackend(error);
  if (error instanceof InvalidCursorError) {
    const errors = [
      { field: 'cursor', message: error.message, value: request.query.cursor ?? null, allowed: null },
    ];
    return problem('invalid_request', `cursor: ${error.message}`, { cause: error, errors });
  }
  if (isCancel(error)) return problem('backend_timeout', 'The call was given up.', { cause: error });
  if (isValidatorError(error)) return fromValidator(specification, request, error);
  if (!(error instanceof Error))
    return problem('internal', 'Something that is no error was thrown.', { cause: error });
  return (
    fromParser(error) ?? fromDatabase(error) ?? problem('internal', 'The gateway failed.', { cause: error })
  );
}

/** Problems of the backend go on as they are, but for those that are between it and the gateway. */
function fromBackend(error: ProblemError): ProblemError {
  const { code, status, detail } = error.problem;
  switch (code) {
    case 'unreachable':
    case 'backend_unavailable':
      return problem('backend_away', 'The backend is starting or has stopped.', { cause: error });
    case 'timeout':
      return problem('backend_timeout', detail, { cause: error });
    case 'unexpected_answer': {
      const why = `The backend answered ${status} without saying why.`;
      // A client's mistake keeps its status, but 401 and 407 are about the gateway's own credentials.
      return status < 400 || status >= 500 || status === 401 || status === 407
        ? problem('bad_gateway', why, { cause: error })
        : refused(status, why, error);
    }
    default:
      // Its 401 is about the gateway's token, not about the caller's.
      return status === 401 && error.problem.type !== 'urn:agent-forge:problem:unauthorized'
        ? problem('bad_gateway', 'The backend refused the token of the gateway.', { cause: error })
        : error;
  }
}

function refused(status: number, why: string, cause: ProblemError): ProblemError {
  const { problem: body } = problem('refused', why);
  return new ProblemError({ ...body, status }, { cause, headers: { ...cause.headers } });
}

function fromValidator(specification: Specification, request: Request, error: ValidatorError): ProblemError {
  switch (error.status) {
    case 404:
      return problem('not_found', `There is nothing at ${request.path}.`, { cause: error });
    case 405:
      return problem('method_not_allowed', `${request.method} is not possible here.`, { cause: error });
    case 413:
      return problem('content_too_large', error.message, { cause: error });
    case 415:
      return problem('unsupported_media_type', error.message, { cause: error });
    default:
      return error.status < 500
        ? describeFaults(specification, request, error.errors, error)
        : problem('internal', 'The gateway failed.', { cause: error });
  }
}

/** Errors of the body parser and of express itself: they carry a status. */
function fromParser(error: Error): ProblemError | undefined {
  const { status, type, limit } = error as Error & { status?: unknown; type?: unknown; limit?: number };
  if (type === 'entity.too.large') {
    return problem('content_too_large', `The body is over ${limit} bytes.`, { cause: error });
  }
  if (status === 415) return problem('unsupported_media_type', error.message, { cause: error });
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return problem('malformed', error.message, { cause: error });
  }
  return undefined;
}

/** Prisma's and pg's words for a server that can't be reached. */
function fromDatabase(error: Error): ProblemError | undefined {
  const { code } = error as Error & { code?: unknown };
  const away =
    error.name === 'PrismaClientInitializationError' ||
    (error.name.startsWith('PrismaClient') && typeof code === 'string' && /^P(10\d\d|2024)$/.test(code)) ||
    (typeof code === 'string' && ['ECONNREFUSED', 'ECONNRESET', '57P01', '57P03'].includes(code));
  return away ? problem('database_away', 'The mirror cannot be read now.', { cause: error }) : undefined;
}
