import type { RequestHandler } from 'express';
import { problem } from '../edge/problem.js';
import { faultText } from './field-errors.js';

export type ShapeLimits = {
  /** How deep containers are nested. */
  levels: number;
  /** Fields and items of all containers together. */
  values: number;
};

type Container = { value: object; path: readonly string[] };

/**
 * Refuses a parsed body before anything walks it: deep nesting overflows the stack of whatever walks it,
 * and a validator that reports each fault takes time and memory for each value. Stops at the first container too many.
 */
export function shapeLimit({ levels, values }: ShapeLimits): RequestHandler {
  return function shapeLimit(request, _response, next) {
    let found = 0;
    let level: Container[] = isContainer(request.body) ? [{ value: request.body, path: [] }] : [];
    for (let depth = 1; level.length > 0; depth++) {
      if (depth > levels) throw problem('malformed', `The body is nested more than ${levels} levels deep.`);
      for (const container of level) {
        found += sizeOf(container.value);
        if (found > values) throw tooMany(container, values);
      }
      level = level.flatMap(within);
    }
    next();
  };
}

function within({ value, path }: Container): Container[] {
  return Object.entries(value).flatMap(([name, inner]) =>
    isContainer(inner) ? [{ value: inner, path: [...path, name] }] : [],
  );
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function sizeOf(value: object): number {
  return Array.isArray(value) ? value.length : Object.keys(value).length;
}

/** Names the container with which the body became too large; what else is wrong was not looked for. */
function tooMany({ value, path }: Container, values: number) {
  const field = path.length > 0 ? faultText(path.join('.')) : 'body';
  const message = `has ${sizeOf(value)} ${Array.isArray(value) ? 'items' : 'fields'}`;
  const allowed = `at most ${values} values in the whole body`;
  return problem('invalid_request', `${field} ${message}; ${allowed}`, {
    errors: [{ field, message, value: null, allowed }],
    omitted: null,
  });
}
