/** Who may ask: by Host (DNS rebinding), by Origin (other pages), by token. */
import type { RequestHandler } from 'express';
import { problem } from '../edge/problem.js';
import { bearerOf } from '../token.js';

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

export type AllowList = {
  /** Whether a `Host` header, port included, names this server. */
  host(header: string | undefined): boolean;
  /** Whether a page of this origin may call; a request without `Origin` comes from no page of another site. */
  origin(header: string | undefined, host: string | undefined): boolean;
};

export type AllowSettings = {
  host: string;
  publicUrl: string | undefined;
  allowedHosts: readonly string[];
  allowedOrigins: readonly string[];
};

export function allowList({ host, publicUrl, allowedHosts, allowedOrigins }: AllowSettings): AllowList {
  const names = new Set([...LOOPBACK, host.toLowerCase(), ...allowedHosts]);
  const origins = new Set(allowedOrigins);
  if (publicUrl) {
    names.add(new URL(publicUrl).hostname);
    origins.add(new URL(publicUrl).origin);
  }
  const allowsHost = (header: string | undefined) => {
    const match = /^(\[[0-9a-f:.]+\]|[^:[\]/@?#\s]+)(:\d{1,5})?$/i.exec(header ?? '');
    return match?.[1] !== undefined && names.has(match[1].toLowerCase());
  };
  return {
    host: allowsHost,
    origin: (header, requestHost) =>
      header === undefined ||
      origins.has(header.toLowerCase()) ||
      // Its own pages: the host was found to be ours before.
      (allowsHost(requestHost) &&
        [`http://${requestHost}`, `https://${requestHost}`].includes(header.toLowerCase())),
  };
}

export function hostGuard(allowed: AllowList): RequestHandler {
  return function checkHost(request, _response, next) {
    const { host, origin } = request.headers;
    if (!allowed.host(host))
      throw problem('host_not_allowed', `Host ${host ?? '(none)'} is not on the list.`);
    if (!allowed.origin(origin, host))
      throw problem('origin_not_allowed', `Origin ${origin} is not on the list.`);
    next();
  };
}

/** Answers preflights and labels answers for origins on the list; without CORS headers browsers refuse the rest. */
export function cors(allowed: AllowList): RequestHandler {
  return function crossOrigin(request, response, next) {
    const { origin, host } = request.headers;
    response.vary('Origin');
    if (origin !== undefined && allowed.origin(origin, host)) {
      response.set({
        'Access-Control-Allow-Origin': origin,
        'Access-Control-Expose-Headers':
          'Location, Retry-After, ETag, Content-Range, Content-Disposition, X-Request-Id, traceparent',
      });
      if (request.method === 'OPTIONS' && request.get('Access-Control-Request-Method')) {
        response.set({
          'Access-Control-Allow-Methods': 'GET, HEAD, POST, DELETE',
          'Access-Control-Allow-Headers':
            'Authorization, Content-Type, Idempotency-Key, Range, If-Range, If-None-Match, traceparent',
          'Access-Control-Max-Age': '600',
        });
        response.status(204).end();
        return;
      }
    }
    next();
  };
}

export function tokenGuard(isToken: (presented: string | undefined) => boolean): RequestHandler {
  return function checkToken(request, response, next) {
    const presented = bearerOf(request.headers.authorization);
    if (!isToken(presented)) {
      response.set('WWW-Authenticate', 'Bearer');
      throw problem(
        'unauthorized',
        presented === undefined ? 'No bearer token came along.' : 'The token is wrong.',
      );
    }
    next();
  };
}
