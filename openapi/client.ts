/** One small typed axios client over the paths that openapi-typescript generates; for browsers and Node alike. */
import axios, { type AxiosInstance, type AxiosResponse, isAxiosError, isCancel } from 'axios';
import { lines } from './lines.js';
import { type Problem, ProblemError, problemOf, unreachable } from './problem.js';

type Method = 'get' | 'post' | 'delete';
// biome-ignore lint/suspicious/noExplicitAny: the constraint only names the property
type Operation = { responses: any };

/** Paths that have an operation for the method; openapi-typescript marks the others `?: never`. */
export type PathsWith<Paths, M extends Method> = {
  [P in keyof Paths]: Paths[P] extends Record<M, Operation> ? P : never;
}[keyof Paths] &
  string;

type Of<Paths, P extends keyof Paths, M extends Method> = M extends keyof Paths[P] ? Paths[P][M] : never;

type Parameters<O, In extends string> = O extends { parameters: infer All }
  ? In extends keyof All
    ? Exclude<All[In], undefined>
    : never
  : never;

/** A property that is absent, optional or required as the operation says. */
type Property<Name extends string, Value> = [Value] extends [never]
  ? { [K in Name]?: undefined }
  : Record<never, never> extends Value
    ? { [K in Name]?: Value | undefined }
    : { [K in Name]: Value };

/** What may be sent where the contract says `application/octet-stream`; a stream in Node, a file in a browser. */
export type Binary = Blob | ArrayBuffer | Uint8Array | { pipe: unknown };

type BodyContent<C> = C extends { 'application/json': infer J }
  ? J
  : C extends { 'application/octet-stream': unknown }
    ? Binary
    : never;

type BodyProperty<O> = O extends { requestBody: { content: infer C } }
  ? { body: BodyContent<C> }
  : O extends { requestBody?: infer R }
    ? Exclude<R, undefined> extends { content: infer C }
      ? { body?: BodyContent<C> | undefined }
      : { body?: undefined }
    : { body?: undefined };

type Headers<O> = { [K in keyof Parameters<O, 'header'>]?: Parameters<O, 'header'>[K] } & {
  [name: string]: string | null | undefined;
};

export type Options<O> = Property<'path', Parameters<O, 'path'>> &
  Property<'query', Parameters<O, 'query'>> &
  BodyProperty<O> & {
    headers?: Headers<O> | undefined;
    signal?: AbortSignal | undefined;
    /** Milliseconds for the whole answer; default: the client's. */
    timeout?: number | undefined;
  };

type Success = 200 | 201 | 202 | 203 | 204 | 205 | 206;
type Content<R> = R extends { content: { 'application/json': infer J } } ? J : never;
type JsonOf<R> = { [S in keyof R & Success]: Content<R[S]> }[keyof R & Success];

/** The JSON of the operation's successful answers; undefined where there is none (204). */
export type Answer<O> = O extends { responses: infer R }
  ? [JsonOf<R>] extends [never]
    ? undefined
    : JsonOf<R>
  : never;

type Lines<R> = R extends { content: { 'application/x-ndjson': infer L } } ? L : never;
/** One line of the operation's successful answer, where that comes line by line. */
export type Line<O> = O extends { responses: infer R } ? Lines<R[keyof R & 200]> : never;
/** Paths that answer a POST line by line. */
export type PathsWithLines<Paths> = {
  [P in PathsWith<Paths, 'post'>]: [Line<Of<Paths, P, 'post'>>] extends [never] ? never : P;
}[PathsWith<Paths, 'post'>];

type Arguments<O> = Record<never, never> extends Options<O> ? [options?: Options<O>] : [options: Options<O>];

export type FullAnswer<O> = { status: number; headers: Record<string, string>; data: Answer<O> };

export type Client<Paths> = {
  [M in Method]: <P extends PathsWith<Paths, M>>(
    path: P,
    ...options: Arguments<Of<Paths, P, M>>
  ) => Promise<Answer<Of<Paths, P, M>>>;
} & {
  /** As the methods above, with status and headers. */
  request<M extends Method, P extends PathsWith<Paths, M>>(
    method: M,
    path: P,
    ...options: Arguments<Of<Paths, P, M>>
  ): Promise<FullAnswer<Of<Paths, P, M>>>;
  /**
   * The answer to a POST as it arrives; without a time limit, unless one is given. Leaving the loop or aborting the
   * signal closes the connection.
   */
  lines<P extends PathsWithLines<Paths>>(
    path: P,
    options: Options<Of<Paths, P, 'post'>>,
  ): AsyncGenerator<Line<Of<Paths, P, 'post'>>, void, undefined>;
  /** Address of an operation, for links and downloads; it holds no token. */
  url<P extends PathsWith<Paths, 'get'>>(path: P, options: Options<Of<Paths, P, 'get'>>): string;
  /** The configured instance, for answers that are streamed. Errors are axios's own: see `normalise`. */
  readonly axios: AxiosInstance;
};

export type ClientSettings = {
  /** Where the API is; a function where it moves (a backend that restarts on another port). */
  baseUrl: string | (() => string);
  token?: string | (() => string | undefined) | undefined;
  /** Milliseconds; 0 waits for ever. Default 30,000. */
  timeout?: number | undefined;
};

type AnyOptions = {
  path?: Record<string, unknown>;
  query?: Record<string, unknown>;
  headers?: Record<string, string | null | undefined>;
  body?: unknown;
  signal?: AbortSignal;
  timeout?: number;
};

/** Errors of every call: a ProblemError, or axios's CanceledError where the caller's signal was aborted. */
export function createClient<Paths>(settings: ClientSettings): Client<Paths> {
  const instance = axios.create({
    allowAbsoluteUrls: false,
    maxRedirects: 0,
    proxy: false,
    paramsSerializer: { indexes: null },
    timeout: settings.timeout ?? 30_000,
  });
  instance.interceptors.request.use((config) => {
    config.baseURL = current(settings.baseUrl);
    const token = current(settings.token);
    if (token) config.headers.set('Authorization', `Bearer ${token}`);
    return config;
  });

  async function send(method: Method, template: string, options: AnyOptions = {}) {
    try {
      const response = await instance.request<unknown>({
        method,
        url: fill(template, options.path),
        params: options.query,
        data: options.body,
        headers: present(options.headers),
        ...(options.signal ? { signal: options.signal } : {}),
        ...(options.timeout === undefined ? {} : { timeout: options.timeout }),
      });
      return {
        status: response.status,
        headers: headersOf(response),
        data: response.data === '' ? undefined : response.data,
      };
    } catch (error) {
      throw normalise(error);
    }
  }

  async function* readLines(template: string, options: AnyOptions = {}) {
    try {
      const { status, data } = await instance.request<ReadableStream<Uint8Array>>({
        // The one that streams, in browsers and Node alike.
        adapter: 'fetch',
        responseType: 'stream',
        method: 'post',
        url: fill(template, options.path),
        data: options.body,
        headers: present(options.headers),
        validateStatus: () => true,
        timeout: options.timeout ?? 0,
        ...(options.signal ? { signal: options.signal } : {}),
      });
      if (status >= 400) throw new ProblemError(problemOf(status, await new Response(data).text()));
      yield* lines(data);
    } catch (error) {
      throw normalise(error);
    }
  }

  const call = (method: Method) => async (path: string, options?: AnyOptions) =>
    (await send(method, path, options)).data;
  const client = {
    get: call('get'),
    post: call('post'),
    delete: call('delete'),
    request: send,
    lines: readLines,
    url: (path: string, options: AnyOptions) =>
      instance.getUri({
        baseURL: current(settings.baseUrl),
        url: fill(path, options.path),
        params: options.query,
      }),
    axios: instance,
  };
  // The one place where the untyped call meets its typed face.
  return client as unknown as Client<Paths>;
}

/** What a failed call is to its caller: everything but an abort becomes a ProblemError. */
export function normalise(error: unknown): unknown {
  if (error instanceof ProblemError || isCancel(error) || !isAxiosError(error)) return error;
  // The axios error itself holds the request with its token, so only its message goes on.
  const cause = new Error(error.message);
  if (error.code) cause.name = error.code;
  if (!error.response) return new ProblemError(unreachable(error.code, error.message), { cause });
  const { status, data } = error.response;
  const headers = headersOf(error.response);
  return new ProblemError(problemOf(status, data), { cause, headers });
}

function current<T>(source: T | (() => T)): T {
  return typeof source === 'function' ? (source as () => T)() : source;
}

/** Puts values into `{name}`; one that would change the path's shape is refused. */
function fill(template: string, values: Record<string, unknown> = {}): string {
  return template.replace(/\{([^}]+)\}/g, (_, name: string) => {
    const value = String(values[name] ?? '');
    if (value === '' || value === '.' || value === '..') {
      throw new TypeError(`${template}: ${name} is ${JSON.stringify(value)}`);
    }
    return encodeURIComponent(value);
  });
}

function present(headers: AnyOptions['headers']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers ?? {}).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

function headersOf(response: AxiosResponse): Record<string, string> {
  return Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [name.toLowerCase(), String(value)]),
  );
}

export type { Problem };
export { ProblemError };
