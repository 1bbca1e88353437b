/** Bounds on how often one address asks. */
import type { RequestHandler } from 'express';
import { rateLimit } from 'express-rate-limit';
import { problem } from './problem.js';

const MINUTE = 60_000;
/** Wrong tokens per minute and address: enough for a stale tab, not for guessing. */
const WRONG_TOKENS = 60;

export function requestLimit(perMinute: number): RequestHandler[] {
  if (perMinute === 0) return [];
  return [
    rateLimit({
      windowMs: MINUTE,
      limit: perMinute,
      standardHeaders: 'draft-8',
      legacyHeaders: false,
      handler: () => {
        throw problem(
          'too_many_requests',
          `More than ${perMinute} requests in a minute came from this address.`,
        );
      },
    }),
  ];
}

export function wrongTokenLimit(): RequestHandler {
  return rateLimit({
    windowMs: MINUTE,
    limit: WRONG_TOKENS,
    standardHeaders: false,
    legacyHeaders: false,
    requestWasSuccessful: (_request, response) => response.statusCode !== 401,
    skipSuccessfulRequests: true,
    handler: () => {
      throw problem('too_many_requests', 'Too many wrong tokens came from this address.');
    },
  });
}
