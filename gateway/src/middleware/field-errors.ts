/** What the validator found, as faults that a person mends: each field once, as deep as possible, a bounded number. */
import type { Request } from 'express';
import type { Problem } from '../../../openapi/problem.js';
import { allowedAt } from '../edge/allowed-values.js';
import { problem } from '../edge/problem.js';
import { type Operation, resolve, type Schema, type Specification } from '../edge/specification.js';

export type Issue = { path: string; message: string; errorCode?: string };
export type ValidatedRequest = Request & {
  openapi?: { schema?: Operation; pathParams?: Record<string, string> };
};
type FieldError = Problem['errors'][number];

/** As many as the contract allows in one problem. */
const MOST_FAULTS = 50;
/** How many the one-line detail names. */
const IN_DETAIL = 5;
const LONGEST_TEXT = 200;
/** The specification's deepest path is shorter by far; a field's name of many slashes reads like a path. */
const MOST_PARTS = 32;

/** Part of a client's text, as it is repeated to it. */
export function faultText(text: string): string {
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text;
}

/** A problem that names each field, its value and what is allowed there. Time is linear in the number of issues. */
export function describeFaults(
  specification: Specification,
  request: ValidatedRequest,
  issues: readonly Issue[],
  cause: Error,
) {
  const fields = new Map<string, { issue: Issue; place: Place }>();
  const containers = new Set<string>();
  for (const issue of issues) {
    const place = placeOf(issue);
    // An `anyOf` reports each alternative and itself: one line a field is enough, since `allowed` names them all.
    if (!place || fields.has(place.field)) continue;
    fields.set(place.field, { issue, place });
    for (let depth = place.path.length - 1; depth > 0; depth--) {
      containers.add(place.path.slice(0, depth).join('.'));
    }
  }
  // A field is named as deep as possible: `evomerge must be null` says nothing beside what is wrong within it.
  const faults = [...fields.values()].filter(({ place }) => !containers.has(place.field));
  const errors = faults
    .slice(0, MOST_FAULTS)
    .map(({ issue, place }) => faultOf(specification, request, issue, place));
  const named = errors.slice(0, IN_DETAIL).map((item) => `${item.field} ${item.message}`);
  if (faults.length > IN_DETAIL) named.push(`and ${faults.length - IN_DETAIL} more`);
  const detail = named.length > 0 ? named.join('; ') : faultText(cause.message);
  return problem('invalid_request', detail, { cause, errors, omitted: faults.length - errors.length });
}

type Where = 'body' | 'query' | 'params' | 'headers';
type Place = { field: string; where: Where; path: string[] };

/** `/body/cognate/seeds/0` → field `cognate.seeds.0` in the body; an unknown property is named itself. */
function placeOf({ path }: Issue): Place | undefined {
  const [where, ...parts] = path.split('/', MOST_PARTS).filter((part) => part !== '');
  if (where !== 'body' && where !== 'query' && where !== 'params' && where !== 'headers') return undefined;
  const decoded = parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  return { where, path: decoded, field: decoded.length > 0 ? decoded.join('.') : where };
}

function faultOf(
  specification: Specification,
  request: ValidatedRequest,
  issue: Issue,
  { field, where, path }: Place,
): FieldError {
  const operation = request.openapi?.schema;
  return {
    field: faultText(field),
    message: faultText(messageOf(issue)),
    value: valueAt(request, where, path) ?? null,
    allowed: (operation && allowedIn(specification, operation, where, path)) ?? null,
  };
}

function messageOf({ message, errorCode }: Issue): string {
  if (message.startsWith('Unknown query parameter')) return 'is no parameter of this request';
  return errorCode?.startsWith('additionalProperties') || errorCode?.startsWith('unevaluatedProperties')
    ? 'is no field of this request'
    : message;
}

function allowedIn(
  specification: Specification,
  operation: Operation,
  where: Where,
  path: readonly string[],
): string | undefined {
  if (where === 'body') {
    const content = Object.values(operation.requestBody?.content ?? {})[0];
    return content && allowedAt(specification, content.schema, path);
  }
  const place = where === 'params' ? 'path' : where === 'headers' ? 'header' : 'query';
  const parameter = (operation.parameters ?? [])
    .map((item) => resolve(specification, item))
    .find((item) => item.in === place && String(item.name).toLowerCase() === path[0]?.toLowerCase());
  return parameter && allowedAt(specification, parameter.schema as Schema, path.slice(1));
}

function valueAt(request: ValidatedRequest, where: Where, path: readonly string[]): unknown {
  // A body is not repeated as a whole, and headers may hold secrets.
  if (where === 'headers' || (where === 'body' && path.length === 0)) return undefined;
  // Path parameters are set by the router, which has not run yet.
  let value: unknown = where === 'params' ? request.openapi?.pathParams : request[where];
  for (const part of path) value = (value as Record<string, unknown> | undefined)?.[part];
  const text = JSON.stringify(value);
  return text !== undefined && text.length > LONGEST_TEXT ? faultText(text) : value;
}
