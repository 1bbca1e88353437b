import type { RequestHandler } from 'express';
import { problem } from './problem.js';

/** Refuses a parsed body before anything walks it: what is nested deep enough overflows the stack of whoever does. */
export function depthLimit({ levels }: { levels: number }): RequestHandler {
  return function depthLimit(request, _response, next) {
    let level = [request.body].filter(isContainer);
    for (let depth = 1; level.length > 0; depth++) {
      if (depth > levels) throw problem('malformed', `The body is nested more than ${levels} levels deep.`);
      level = level.flatMap(Object.values).filter(isContainer);
    }
    next();
  };
}

function isContainer(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}
