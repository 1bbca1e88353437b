/** Bounds on how often one address asks. Guessing the token is bounded by its 256 bits. */
import type { RequestHandler } from 'express';
import { ipKeyGenerator, MemoryStore, rateLimit } from 'express-rate-limit';
import { problem } from './problem.js';

const MINUTE = 60_000;

export type RateLimit = {
  /** For requests; empty where there is no limit. */
  handlers: RequestHandler[];
  /** Counts what comes past express, a socket's handshake, as one request; whether it is within the limit. */
  admits(address: string): Promise<boolean>;
};

export function createRateLimit(perMinute: number): RateLimit {
  if (perMinute === 0) return { handlers: [], admits: async () => true };
  const store = new MemoryStore();
  const handler = rateLimit({
    windowMs: MINUTE,
    limit: perMinute,
    store,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    handler: () => {
      throw problem(
        'too_many_requests',
        `More than ${perMinute} requests in a minute came from this address.`,
      );
    },
  });
  return {
    handlers: [handler],
    admits: async (address) => (await store.increment(ipKeyGenerator(address))).totalHits <= perMinute,
  };
}
