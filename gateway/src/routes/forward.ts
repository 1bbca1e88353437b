/** Routes that the backend answers, at the same path without `/api`. */
import type { Router } from 'express';
import type { paths as BackendPaths } from '../../../openapi/backend.js';
import type { Answer as AnswerOf, Options as OptionsOf } from '../../../openapi/client.js';
import { YAML } from '../edge/media-types.js';
import { type Answer, type Call, type Method, type PathsWith, route, type Status } from './route.js';
import type { Services } from './services.js';

type Theirs<P extends string, M extends Method> = P extends `/api${infer B extends keyof BackendPaths}`
  ? BackendPaths[B][M]
  : never;

type PathOf<O> = O extends { parameters: { path: infer Values } } ? Values : unknown;

/** Whether the backend takes what the gateway has accepted for this path. */
type IsAccepted<P extends PathsWith<M>, M extends Method> = [Call<P, M>['path']] extends [
  PathOf<Theirs<P, M>>,
]
  ? [Call<P, M>['body']] extends [OptionsOf<Theirs<P, M>>['body']]
    ? true
    : false
  : false;

/** The gateway's paths that the backend has as well, with the same parameters and body. */
export type ForwardedPaths<M extends Method> = {
  [P in PathsWith<M>]: [Theirs<P, M>] extends [never] ? never : IsAccepted<P, M> extends true ? P : never;
}[PathsWith<M>];

type Answered<P extends PathsWith<M>, M extends Method> = (
  answer: AnswerOf<Theirs<P, M>>,
  call: Call<P, M>,
) => Promise<Answer<P, M>> | Answer<P, M>;

type Options<P extends PathsWith<M>, M extends Method> = {
  /** `long` where the backend reads whole files or computes. */
  timeout?: keyof Services['timeouts'];
  /**
   * The request changes something: it goes on although the caller leaves, and carries the caller's
   * `Idempotency-Key`, so that a repeat through the gateway is a repeat at the backend.
   */
  changes?: boolean;
  status?: Status<P, M>;
} & (AnswerOf<Theirs<P, M>> extends Answer<P, M>
  ? { /** Makes the answer of the backend's. */ answered?: Answered<P, M> }
  : { /** Makes the answer of the backend's, which is of another type. */ answered: Answered<P, M> });

type Arguments<O> = Record<never, never> extends O ? [options?: O] : [options: O];

export type Forward = <M extends Method, P extends ForwardedPaths<M>>(
  method: M,
  path: P,
  ...options: Arguments<Options<P, M>>
) => void;

type AnyOptions = {
  timeout?: keyof Services['timeouts'];
  changes?: boolean;
  status?: 200;
  answered?: (answer: unknown, call: AnyCall) => unknown;
};
type AnyCall = Pick<Call<never, Method>, 'headers' | 'trace' | 'signal'> & {
  path: object;
  query: object;
  body: unknown;
};

export function forward(router: Router, { backend, timeouts }: Services): Forward {
  function forwarded(method: Method, path: string, options: AnyOptions = {}): void {
    const { timeout = 'ordinary', changes = false, status, answered } = options;
    const send = backend[method] as (path: string, sent: object) => Promise<unknown>;
    async function handle(call: AnyCall): Promise<unknown> {
      const key = call.headers['idempotency-key'];
      const answer = await send(path.replace(/^\/api/, ''), {
        path: call.path,
        query: call.query,
        body: call.body,
        headers: {
          ...call.trace,
          'Idempotency-Key': changes && typeof key === 'string' ? key : null,
          // Of all bodies a merge configuration alone is text.
          'Content-Type': typeof call.body === 'string' ? YAML : null,
        },
        signal: changes ? undefined : call.signal,
        timeout: timeouts[timeout],
      });
      return answered ? answered(answer, call) : answer;
    }
    route(router, method, path as never, handle as never, status);
  }
  // Its face holds the two contracts together, path by path; within, every path is alike.
  return forwarded as Forward;
}
