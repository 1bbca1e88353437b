/** Every problem that the gateway itself can have with a request: one table, one constructor. */
import { type Problem, ProblemError } from '../../../openapi/problem.js';

type Row = { status: number; title: string; hint?: string; retryAfter?: number };

export const problems = {
  malformed: { status: 400, title: 'Malformed request' },
  refused: { status: 400, title: 'The backend refused the request' },
  unauthorized: {
    status: 401,
    title: 'A token is needed',
    hint: 'Send `Authorization: Bearer <token>`; the token is in gateway.token in the data directory.',
  },
  host_not_allowed: {
    status: 403,
    title: 'Host not allowed',
    hint: 'Names that the gateway answers to are set by ALLOWED_HOSTS.',
  },
  origin_not_allowed: {
    status: 403,
    title: 'Origin not allowed',
    hint: 'Pages that may call the gateway are set by ALLOWED_ORIGINS.',
  },
  not_found: { status: 404, title: 'Not found' },
  method_not_allowed: {
    status: 405,
    title: 'Method not allowed',
    hint: 'The methods are listed at /api/docs.',
  },
  request_timeout: {
    status: 408,
    title: 'Request not received in time',
    hint: 'Send the whole body at once; only files may take longer.',
  },
  superseded: { status: 409, title: 'Superseded' },
  content_too_large: { status: 413, title: 'Body too large' },
  range_not_satisfiable: { status: 416, title: 'Range not satisfiable' },
  unsupported_media_type: { status: 415, title: 'Unsupported media type' },
  invalid_request: {
    status: 422,
    title: 'Invalid request',
    hint: 'See `errors`: each names a field and what is allowed.',
  },
  too_many_requests: {
    status: 429,
    title: 'Too many requests',
    hint: 'The limit is set by RATE_LIMIT.',
    retryAfter: 60,
  },
  internal: {
    status: 500,
    title: 'Internal error',
    hint: 'The log of the gateway has the cause under this trace_id.',
  },
  bad_gateway: { status: 502, title: 'The backend answered outside its contract' },
  backend_away: {
    status: 503,
    title: 'Backend not responding',
    hint: 'Runs, models and candidates can still be read. The supervisor starts the backend again by itself.',
    retryAfter: 2,
  },
  database_away: { status: 503, title: 'Database not responding', retryAfter: 2 },
  starting: { status: 503, title: 'The gateway is starting', hint: 'Try again in a moment.', retryAfter: 1 },
  shutting_down: { status: 503, title: 'The gateway is shutting down', retryAfter: 5 },
  backend_timeout: { status: 504, title: 'The backend did not answer in time' },
} as const satisfies Record<string, Row>;

export type Code = keyof typeof problems;

type Details = {
  cause?: unknown;
  errors?: Problem['errors'];
  /** Faults beyond `errors`; null where they were not counted. */
  omitted?: number | null;
};

export function problem(
  code: Code,
  detail: string,
  { cause, errors = [], omitted = 0 }: Details = {},
): ProblemError {
  const row: Row = problems[code];
  return new ProblemError(
    {
      type: `urn:agent-forge:problem:${code}`,
      title: row.title,
      status: row.status,
      code,
      detail,
      hint: row.hint ?? null,
      instance: null,
      trace_id: null,
      errors,
      errors_omitted: omitted,
    },
    {
      cause,
      ...(row.retryAfter === undefined ? {} : { headers: { 'retry-after': String(row.retryAfter) } }),
    },
  );
}
