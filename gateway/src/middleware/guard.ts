/** Who may ask: by Host (DNS rebinding), by Origin (other pages), by token. */
import type { RequestHandler } from 'express';
import type { AllowList } from '../edge/allow-list.js';
import { problem } from '../edge/problem.js';
import { bearerOf } from '../token.js';

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
