import type { components } from './backend.js';

export type Problem = components['schemas']['Problem'];

/** A call that did not succeed, with what the server said of it (RFC 9457) or what kept it from answering. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly problem: Problem;
  /** Headers of the answer, names in lower case; empty where there was none. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(problem: Problem, options: { cause?: unknown; headers?: Record<string, string> } = {}) {
    super(`${problem.title}: ${problem.detail}`, { cause: options.cause });
    this.problem = problem;
    this.headers = options.headers ?? {};
  }
}

/** The problem in an answer's body, or one made from its status where the body is something else. */
export function problemOf(status: number, body: unknown): Problem {
  const found = typeof body === 'string' ? parsed(body) : body;
  if (isProblem(found)) return found;
  return {
    type: 'about:blank',
    title: `HTTP ${status}`,
    status,
    code: 'unexpected_answer',
    detail: 'The server answered with something that is no problem document.',
    hint: null,
    instance: null,
    trace_id: null,
    errors: [],
    errors_omitted: 0,
  };
}

/** No answer: refused, reset, or later than the time-out. `code` is the one of axios or Node. */
export function unreachable(code: string | undefined, message: string): Problem {
  const late = code === 'ECONNABORTED' || code === 'ETIMEDOUT';
  return {
    type: 'about:blank',
    title: late ? 'No answer in time' : 'No answer',
    status: late ? 504 : 503,
    code: late ? 'timeout' : 'unreachable',
    detail: message,
    hint: null,
    instance: null,
    trace_id: null,
    errors: [],
    errors_omitted: 0,
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isProblem(value: unknown): value is Problem {
  const problem = value as Partial<Problem> | null | undefined;
  return (
    typeof problem === 'object' &&
    problem !== null &&
    typeof problem.status === 'number' &&
    typeof problem.title === 'string' &&
    typeof problem.code === 'string'
  );
}
