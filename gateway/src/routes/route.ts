/** Routes whose inputs and answers are typed by the specification: a handler that answers something else does not compile. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Request, Response, Router } from 'express';
import type { paths } from '../../../openapi/gateway.js';

export type Method = 'get' | 'post' | 'delete';
type Operation<P extends keyof paths, M extends Method> = Exclude<paths[P][M], undefined>;
type Parameters<O, In extends string> = O extends { parameters: infer All }
  ? In extends keyof All
    ? Exclude<All[In], undefined>
    : Record<never, never>
  : never;
type Body<O> = O extends { requestBody?: never }
  ? undefined
  : O extends { requestBody: { content: { 'application/json': infer J } } }
    ? J
    : O extends { requestBody?: { content: { 'application/json': infer J } } }
      ? J | undefined
      : undefined;
type Json<R> = R extends { content: { 'application/json': infer J } } ? J : never;
type Success = 200 | 201 | 202 | 204;
type JsonOf<O> = O extends { responses: infer R }
  ? { [S in keyof R & Success]: Json<R[S]> }[keyof R & Success]
  : never;
/** Of the operation of a path; undefined where it has no content (204). */
export type Answer<P extends keyof paths, M extends Method> = [JsonOf<Operation<P, M>>] extends [never]
  ? undefined
  : JsonOf<Operation<P, M>>;
export type Status<P extends keyof paths, M extends Method> =
  Operation<P, M> extends { responses: infer R } ? keyof R & Success : never;

export type PathsWith<M extends Method> = {
  [P in keyof paths]: [Operation<P, M>] extends [never] ? never : P;
}[keyof paths];

export type Call<P extends keyof paths, M extends Method> = {
  path: Parameters<Operation<P, M>, 'path'>;
  /** Checked, converted and with its defaults. */
  query: Parameters<Operation<P, M>, 'query'>;
  body: Body<Operation<P, M>>;
  headers: IncomingHttpHeaders;
  /** Headers for calls to the backend. */
  trace: { traceparent: string };
  /** Aborted when the client has left before the answer. */
  signal: AbortSignal;
  response: Response;
};

/** The specification's path as express writes it: `/runs/{run_id}` → `/runs/:run_id`. */
function expressPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}

/** JSON routes: validation has run, the handler's answer is sent with `status`. */
export function route<M extends Method, P extends PathsWith<M>>(
  router: Router,
  method: M,
  path: P,
  handler: (call: Call<P, M>) => Promise<Answer<P, M>>,
  status: Success = 200,
): void {
  router[method](expressPath(path), async (request: Request, response: Response) => {
    const answer = await handler({
      path: request.params as Call<P, M>['path'],
      query: request.query as Call<P, M>['query'],
      body: request.body as Call<P, M>['body'],
      headers: request.headers,
      trace: { traceparent: response.locals.trace.traceparent },
      signal: leaving(response),
      response,
    });
    response.status(status).set('Cache-Control', 'no-store');
    if (answer === undefined) response.end();
    else response.json(answer);
  });
}

/** Aborts when the connection closes before the answer is complete. */
export function leaving(response: Response): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}
