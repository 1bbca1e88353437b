/** Bounds on how often one address asks. Guessing the token is bounded by its 256 bits. */
import type { RequestHandler } from 'express';
import { rateLimit } from 'express-rate-limit';
import { problem } from './problem.js';

const MINUTE = 60_000;

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
