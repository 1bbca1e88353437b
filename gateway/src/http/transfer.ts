/** Model files in both directions, streamed end to end: no more of a file is in memory than the sockets hold. */
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { AxiosResponse } from 'axios';
import type { RequestHandler } from 'express';
import type { Model } from '../../../openapi/backend.js';
import { ProblemError, problemOf } from '../../../openapi/problem.js';
import { problem } from './problem.js';
import { leaving } from './route.js';
import type { Services } from './services.js';

/** Request headers that decide which bytes come. */
const ASKED = ['range', 'if-range'] as const;
/** Answer headers that say which bytes came. */
const TOLD = [
  'content-type',
  'content-length',
  'content-range',
  'content-disposition',
  'accept-ranges',
  'etag',
  'last-modified',
] as const;
/** A problem document is small; more than this is none. */
const PROBLEM_BYTES = 65_536;

export function download({ backend, timeouts }: Services): RequestHandler<{ model_id: string }> {
  return async function downloadModel(request, response) {
    const asked = Object.fromEntries(
      ASKED.flatMap((name) => {
        const value = request.get(name);
        return value === undefined ? [] : [[name, value]];
      }),
    );
    const signal = leaving(response);
    const upstream = await backend.axios.request<Readable>({
      // Also for HEAD: the backend knows GET alone, and its headers come before its bytes.
      method: 'get',
      url: `/v1/models/${encodeURIComponent(request.params.model_id)}/download`,
      params: { format: request.query.format },
      headers: {
        ...asked,
        // Bytes as they are on disk: a length that is known and ranges that mean something.
        'accept-encoding': 'identity',
        traceparent: response.locals.trace.traceparent,
      },
      responseType: 'stream',
      decompress: false,
      // Until the first byte; a .pt file is made first. Afterwards the client sets the pace.
      timeout: request.query.format === 'pt' ? timeouts.long : timeouts.ordinary,
      validateStatus: () => true,
      signal,
    });
    if (upstream.status >= 400) {
      const range = upstream.headers['content-range'];
      if (range !== undefined) response.set('Content-Range', String(range));
      throw await refused(upstream, request.get('range'));
    }
    response.status(upstream.status).set('Cache-Control', 'private, no-cache');
    for (const name of TOLD) {
      const value = upstream.headers[name];
      if (value !== undefined) response.set(name, String(value));
    }
    const known = hasTag(request.get('if-none-match'), upstream.headers.etag);
    if (known || request.method === 'HEAD') {
      upstream.data.destroy();
      if (known) response.status(304).removeHeader('Content-Length');
      response.end();
      return;
    }
    // Destroys the upstream when the client leaves, and cuts the client off when the upstream breaks.
    await pipeline(upstream.data, response, { signal });
  };
}

/**
 * RFC 9110, 13.1.2, by weak comparison. Not express's `fresh`: that also heeds the request's Cache-Control, which
 * every `fetch` with a condition of its own sets to no-cache.
 */
function hasTag(condition: string | undefined, tag: unknown): boolean {
  if (condition === undefined || typeof tag !== 'string') return false;
  const bare = (text: string) => text.trim().replace(/^W\//, '');
  return condition.trim() === '*' || condition.split(',').some((item) => bare(item) === bare(tag));
}

/** A safetensors file from the request straight into a request to the backend. */
export function upload({ backend, reads, arrival, timeouts }: Services): RequestHandler {
  return async function importModel(request, response) {
    const length = request.get('content-length');
    const answer = await backend.axios.request<Model>({
      method: 'post',
      url: '/v1/models/import',
      params: { name: request.query.name },
      data: request,
      headers: {
        'content-type': 'application/octet-stream',
        ...(length === undefined ? {} : { 'content-length': length }),
        traceparent: response.locals.trace.traceparent,
      },
      maxBodyLength: Number.POSITIVE_INFINITY,
      timeout: timeouts.long,
      signal: leaving(response),
    });
    await arrival(async () => (await reads.model(answer.data.id)) !== null);
    response.status(201).json(answer.data);
  };
}

async function refused(upstream: AxiosResponse<Readable>, range: string | undefined): Promise<ProblemError> {
  if (upstream.status === 416) {
    upstream.data.destroy();
    return problem('range_not_satisfiable', `Range ${range} lies beyond the file or is none.`);
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of upstream.data as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > PROBLEM_BYTES) break;
    chunks.push(chunk);
  }
  const retryAfter: unknown = upstream.headers['retry-after'];
  return new ProblemError(problemOf(upstream.status, Buffer.concat(chunks).toString('utf8')), {
    headers: typeof retryAfter === 'string' ? { 'retry-after': retryAfter } : {},
  });
}
