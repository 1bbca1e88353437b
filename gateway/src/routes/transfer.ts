/** Model files in both directions, streamed end to end: no more of a file is in memory than the sockets hold. */
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { AxiosRequestConfig, AxiosResponse } from 'axios';
import { type Request, type RequestHandler, type Response, Router } from 'express';
import type { Model } from '../../../openapi/backend.js';
import type { DownloadTicket } from '../../../openapi/gateway.js';
import { ProblemError, problemOf } from '../../../openapi/problem.js';
import { YAML } from '../edge/media-types.js';
import { problem } from '../edge/problem.js';
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
/** A problem document is small; a longer body is none. */
const PROBLEM_BYTES = 65_536;

/** Which file of which model: its weights in a format, or one of its folder by name. */
export type FileAsked = { modelId: string } & ({ format: 'safetensors' | 'pt' | 'zip' } | { name: string });

/** `GET` and `HEAD` of a model's file, for who has the token. */
export function download(services: Services): RequestHandler<{ model_id: string }> {
  return async function downloadModel(request, response) {
    // Checked against the specification before; its default is filled in.
    const format = request.query.format as 'safetensors' | 'pt' | 'zip';
    await sendFile(services, { modelId: request.params.model_id, format }, request, response);
  };
}

/** `GET` of one file of a model's folder. */
export function downloadFile(services: Services): RequestHandler<{ model_id: string; name: string }> {
  return async function downloadModelFile(request, response) {
    const { model_id, name } = request.params;
    await sendFile(services, { modelId: model_id, name }, request, response);
  };
}

/** `GET` of a model's recipe as a merge configuration. */
export function downloadConfiguration({ backend, timeouts }: Services): RequestHandler<{ model_id: string }> {
  return async function downloadModelConfiguration(request, response) {
    const text = await backend.get('/v1/models/{model_id}/recipe.yaml', {
      path: request.params,
      headers: { traceparent: response.locals.trace.traceparent },
      signal: leaving(response),
      timeout: timeouts.ordinary,
    });
    response.type(YAML).set('Cache-Control', 'no-store').send(text);
  };
}

/** The same bytes for who holds a ticket: mounted before the token is asked for. */
export function downloads(services: Services): Router {
  const router = Router();
  router.get('/api/v1/downloads/:ticket', async (request, response) => {
    // A HEAD would use the ticket up for nothing.
    const asked = request.method === 'GET' ? services.tickets.redeem(request.params.ticket) : undefined;
    if (!asked) throw problem('not_found', 'This download has begun before or was not begun in time.');
    await sendFile(services, asked, request, response);
  });
  return router;
}

/** Opens the file once, so that a fault is answered here and does not end in the browser's list of downloads. */
export function issueTicket(services: Services): RequestHandler<{ model_id: string }> {
  return async function issueDownloadTicket(request, response) {
    const asked = {
      modelId: request.params.model_id,
      format: request.query.format as 'safetensors' | 'pt' | 'zip',
    };
    const upstream = await openFile(services, asked, {}, response, leaving(response));
    if (upstream.status >= 400) throw await refused(upstream, undefined);
    upstream.data.destroy();
    const { ticket, expiresAt } = services.tickets.issue(asked);
    const answer: DownloadTicket = {
      path: `/api/v1/downloads/${ticket}`,
      expires_at: new Date(expiresAt).toISOString(),
    };
    response.status(201).set('Cache-Control', 'no-store').json(answer);
  };
}

function openFile(
  { backend, timeouts }: Services,
  asked: FileAsked,
  headers: Record<string, string>,
  response: Response,
  signal: AbortSignal,
): Promise<AxiosResponse<Readable>> {
  return backend.axios.request<Readable>({
    // Also for HEAD: the backend knows GET alone, and its headers come before its bytes.
    method: 'get',
    url: `/v1/models/${encodeURIComponent(asked.modelId)}/${'name' in asked ? `files/${encodeURIComponent(asked.name)}` : 'download'}`,
    params: 'format' in asked ? { format: asked.format } : {},
    headers: {
      ...headers,
      // Bytes as they are on disk: a length that is known and ranges that mean something.
      'accept-encoding': 'identity',
      traceparent: response.locals.trace.traceparent,
    },
    responseType: 'stream',
    decompress: false,
    // Until the first byte: a file is read once before it is sent, a .pt file is made. Then the client sets the pace.
    timeout: timeouts.long,
    validateStatus: () => true,
    signal,
  });
}

async function sendFile(
  services: Services,
  asked: FileAsked,
  request: Request,
  response: Response,
): Promise<void> {
  const ranges = Object.fromEntries(
    ASKED.flatMap((name) => {
      const value = request.get(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const signal = leaving(response);
  const upstream = await openFile(services, asked, ranges, response, signal);
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
export function upload(services: Services): RequestHandler {
  const { reads, arrival } = services;
  return relay<Model>(
    services,
    ({ query }) => ({ method: 'post', url: '/v1/models/import', params: { name: query.name } }),
    ({ id }) => arrival(async () => (await reads.model(id)) !== null),
  );
}

/** The request's body straight into a request to the backend; its answer, once `answered`. */
export function relay<Answer>(
  { backend, timeouts }: Services,
  to: (request: Request) => Pick<AxiosRequestConfig, 'method' | 'url' | 'params'>,
  answered: (answer: Answer) => Promise<void> = async () => undefined,
): RequestHandler {
  return async function relayBody(request, response) {
    const length = request.get('content-length');
    const answer = await backend.axios.request<Answer>({
      ...to(request),
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
    await answered(answer.data);
    response.status(answer.status).json(answer.data);
  };
}

/** The problem that a streamed answer is. */
export async function refused(
  upstream: AxiosResponse<Readable>,
  range: string | undefined,
): Promise<ProblemError> {
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
