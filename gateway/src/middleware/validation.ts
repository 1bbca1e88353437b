/** Requests are checked against the specification. */
import type { RequestHandler } from 'express';
import * as OpenApiValidator from 'express-openapi-validator';
import { problem } from '../edge/problem.js';
import { forValidation, type Specification } from '../edge/specification.js';
import type { Issue, ValidatedRequest } from './field-errors.js';

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
      // The token guard has checked it before: a client without a token learns nothing from a wrong body.
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
