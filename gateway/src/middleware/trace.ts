/** W3C trace context: the caller's trace goes on to the backend, with a span of our own. */
import { randomBytes } from 'node:crypto';
import type { RequestHandler } from 'express';

export type Trace = {
  /** 32 hex digits, shared by everything that one request causes. */
  id: string;
  /** Header for calls that the request causes. */
  traceparent: string;
};

declare global {
  namespace Express {
    interface Locals {
      trace: Trace;
    }
  }
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Continues the trace in a `traceparent` header; a malformed or absent one starts a new trace. */
export function traceOf(header: string | undefined): Trace {
  const match = TRACEPARENT.exec(header ?? '');
  const [, version, trace = '', parent = '', flags = '01'] = match ?? [];
  const usable = version !== undefined && version !== 'ff' && !/^0+$/.test(trace) && !/^0+$/.test(parent);
  const id = usable ? trace : randomBytes(16).toString('hex');
  return { id, traceparent: `00-${id}-${randomBytes(8).toString('hex')}-${usable ? flags : '01'}` };
}

export function tracing(): RequestHandler {
  return function trace(request, response, next) {
    response.locals.trace = traceOf(request.get('traceparent'));
    response.set('traceparent', response.locals.trace.traceparent);
    next();
  };
}
