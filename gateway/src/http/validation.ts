/** Requests are checked against the specification; what is wrong is told field by field. */
import type { Request, RequestHandler } from 'express';
import * as OpenApiValidator from 'express-openapi-validator';
import type { Problem } from '../../../openapi/problem.js';
import { allowed, schemaAt } from './allowed.js';
import { problem } from './problem.js';
import { forValidation, type Operation, resolve, type Schema, type Specification } from './specification.js';

type Issue = { path: string; message: string; errorCode?: string };
type ValidatedRequest = Request & { openapi?: { schema?: Operation; pathParams?: Record<string, string> } };
type FieldError = Problem['errors'][number];

/** Error of the validator library, by its shape: it exports no common base that survives two copies of it. */
export type ValidatorError = Error & {
  status: number;
  path: string;
  errors: Issue[];
  headers?: Record<string, string>;
};

export function isValidatorError(error: unknown): error is ValidatorError {
  return error instanceof Error && 'status' in error && 'errors' in error && Array.isArray(error.errors);
}

export function validation(specification: Specification): RequestHandler[] {
  return [
    plainContentType,
    ...OpenApiValidator.middleware({
      // biome-ignore lint/suspicious/noExplicitAny: the library's own document type knows no boolean `const`
      apiSpec: forValidation(specification) as any,
      validateRequests: { allowUnknownQueryParameters: false, coerceTypes: false, allErrors: true },
      validateResponses: false,
      // Checked before, by the token guard: a wrong body must not tell anything to who has no token.
      validateSecurity: false,
      fileUploader: false,
      validateFormats: true,
    }),
    requiredBody,
  ];
}

/** The validator keeps one compiled schema per content type, parameters included: bound what a caller can make it keep. */
const plainContentType: RequestHandler = function plainContentType(request, _response, next) {
  if (request.method === 'GET' || request.method === 'HEAD') delete request.headers['content-type'];
  const type = request.headers['content-type'];
  if (type !== undefined) request.headers['content-type'] = type.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  next();
};

/** The validator asks for a body only where its schema has required fields. */
const requiredBody: RequestHandler = function requiredBody(request: ValidatedRequest, _response, next) {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  if (request.openapi?.schema?.requestBody?.required && encoding === undefined && Number(length ?? 0) === 0) {
    throw problem('invalid_request', 'body is missing', {
      errors: [{ field: 'body', message: 'is missing', value: null, allowed: null }],
    });
  }
  next();
};

/** Turns the validator's error into a problem that names each field, its value and what is allowed there. */
export function describe(specification: Specification, request: ValidatedRequest, error: ValidatorError) {
  const operation = request.openapi?.schema;
  const fields = new Map<string, FieldError>();
  for (const issue of error.errors) {
    const place = placeOf(issue);
    if (!place) continue;
    const { field, where, path } = place;
    const schema = operation && schemaOf(specification, operation, where, path);
    const found = fields.get(field);
    // An `anyOf` reports each alternative and itself: one line a field is enough, since `allowed` names them all.
    if (found) continue;
    const value = valueAt(request, where, path);
    const words = schema && allowed(specification, schema);
    fields.set(field, {
      field,
      message: messageOf(issue),
      value: value === undefined ? null : value,
      allowed: words ?? null,
    });
  }
  // A field is named as deep as possible: `evomerge must be null` says nothing beside what is wrong within it.
  const errors = [...fields.values()].filter(
    ({ field }) => ![...fields.keys()].some((other) => other.startsWith(`${field}.`)),
  );
  const detail =
    errors.length > 0 ? errors.map((item) => `${item.field} ${item.message}`).join('; ') : error.message;
  return problem('invalid_request', detail, { cause: error, errors });
}

type Where = 'body' | 'query' | 'params' | 'headers';

/** `/body/cognate/seeds/0` → field `cognate.seeds.0` in the body; an unknown property is named itself. */
function placeOf({ path }: Issue): { field: string; where: Where; path: string[] } | undefined {
  const [where, ...parts] = path.split('/').filter((part) => part !== '');
  if (where !== 'body' && where !== 'query' && where !== 'params' && where !== 'headers') return undefined;
  const decoded = parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  return { where, path: decoded, field: decoded.length > 0 ? decoded.join('.') : where };
}

function messageOf({ message, errorCode }: Issue): string {
  if (message.startsWith('Unknown query parameter')) return 'is no parameter of this request';
  return errorCode?.startsWith('additionalProperties') || errorCode?.startsWith('unevaluatedProperties')
    ? 'is no field of this request'
    : message;
}

function schemaOf(
  specification: Specification,
  operation: Operation,
  where: Where,
  path: readonly string[],
): Schema | undefined {
  if (where === 'body') {
    const content = Object.values(operation.requestBody?.content ?? {})[0];
    return content && schemaAt(specification, content.schema, path);
  }
  const place = where === 'params' ? 'path' : where === 'headers' ? 'header' : 'query';
  const parameter = (operation.parameters ?? [])
    .map((item) => resolve(specification, item))
    .find((item) => item.in === place && String(item.name).toLowerCase() === path[0]?.toLowerCase());
  return parameter && schemaAt(specification, parameter.schema as Schema, path.slice(1));
}

function valueAt(request: ValidatedRequest, where: Where, path: readonly string[]): unknown {
  // A body is not repeated as a whole, and headers may hold secrets.
  if (where === 'headers' || (where === 'body' && path.length === 0)) return undefined;
  // Path parameters are set by the router, which has not run yet.
  let value: unknown = where === 'params' ? request.openapi?.pathParams : request[where];
  for (const part of path) value = (value as Record<string, unknown> | undefined)?.[part];
  const text = JSON.stringify(value);
  return text !== undefined && text.length > 200 ? `${text.slice(0, 200)}…` : value;
}
