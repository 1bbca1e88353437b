/** A model's answer, passed on token by token as the backend says it. */
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { RequestHandler } from 'express';
import { leaving } from './route.js';
import type { Services } from './services.js';
import { refused } from './transfer.js';

export function streamPrediction({ backend, timeouts }: Services): RequestHandler<{ model_id: string }> {
  return async function relayPrediction(request, response) {
    const signal = leaving(response);
    const upstream = await backend.axios.request<Readable>({
      method: 'post',
      url: `/v1/models/${encodeURIComponent(request.params.model_id)}/predict/stream`,
      data: request.body,
      headers: { traceparent: response.locals.trace.traceparent },
      responseType: 'stream',
      // Until the first line: a model may wait for another's answer, and is opened first.
      timeout: timeouts.long,
      validateStatus: () => true,
      signal,
    });
    if (upstream.status >= 400) throw await refused(upstream, undefined);
    response.status(200).set({
      'Content-Type': 'application/x-ndjson',
      // Compressed, tokens would wait for each other.
      'Cache-Control': 'no-store, no-transform',
    });
    // Destroys the upstream when the client leaves, which ends the computation.
    await pipeline(upstream.data, response, { signal });
  };
}
