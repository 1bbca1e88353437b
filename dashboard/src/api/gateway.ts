import { isCancel } from 'axios';
import { type Client, createClient, ProblemError } from '../../../openapi/client.ts';
import type { paths } from '../../../openapi/gateway.d.ts';
import type { Problem } from './schema.ts';

type Gateway = Client<paths>;

let token: string | undefined;

/** The one client of this page; it speaks to the server that the page came from. */
export const gateway: Gateway = createClient<paths>({ baseUrl: window.location.origin, token: () => token });

export function authorize(value: string): void {
  token = value;
}

/** What is known about a failed call. */
export function problemIn(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  return {
    type: 'about:blank',
    title: isCancel(error) ? 'Stopped' : 'Unexpected fault in the page',
    status: 0,
    code: isCancel(error) ? 'aborted' : 'page_fault',
    detail: error instanceof Error ? error.message : String(error),
    hint: null,
    instance: null,
    trace_id: null,
    errors: [],
    errors_omitted: 0,
  };
}

/** A repeat with the same key returns what the first call made. */
export function newIdempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
