import { problemIn } from '../api/gateway.ts';

/** Dotted field → what the server says is wrong with it, with the allowed values. */
export function fieldErrors(error: unknown): ReadonlyMap<string, string> {
  if (error === null || error === undefined) return new Map();
  return new Map(
    problemIn(error).errors.map(({ field, message, allowed }) => [
      field.replace(/^body\./, ''),
      allowed ? `${message} (allowed: ${allowed})` : message,
    ]),
  );
}
