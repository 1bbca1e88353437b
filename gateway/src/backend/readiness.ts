import type { BackendReadiness } from '../../../openapi/backend.js';
import { ProblemError } from '../../../openapi/client.js';
import type { BackendApi } from './api.js';

/** Whoever asks for readiness asks again soon: an answer that takes longer counts as none, ms. */
const PATIENCE = 1_000;

/** What the backend says of its own readiness; null where it does not answer. */
export async function readinessOf(api: BackendApi): Promise<BackendReadiness | null> {
  try {
    return await api.get('/readyz', { timeout: PATIENCE });
  } catch (error) {
    if (error instanceof ProblemError) return null;
    throw error;
  }
}
