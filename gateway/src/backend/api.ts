import type { paths } from '../../../openapi/backend.js';
import { type Client, createClient, type Problem, ProblemError } from '../../../openapi/client.js';

export type Endpoint = { baseUrl: string; token: string };
export type BackendApi = Client<paths>;

const BACKEND_AWAY: Problem = {
  type: 'about:blank',
  title: 'Backend not responding',
  status: 503,
  code: 'backend_unavailable',
  detail: 'The backend is starting or has stopped; it is started again by itself.',
  hint: 'Try again in a moment.',
  instance: null,
  trace_id: null,
  errors: [],
  errors_omitted: 0,
};

/**
 * The backend's API wherever it is now: `endpoint` is asked at each call, since a restart moves it to another port.
 * A call while there is none rejects with a 503 ProblemError (`backend_unavailable`).
 */
export function createBackendApi(endpoint: () => Endpoint | null): BackendApi {
  const present = (): Endpoint => {
    const found = endpoint();
    if (!found) throw new ProblemError(BACKEND_AWAY, { headers: { 'retry-after': '2' } });
    return found;
  };
  return createClient<paths>({ baseUrl: () => present().baseUrl, token: () => present().token });
}
