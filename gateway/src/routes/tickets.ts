/** Download tickets: they let a browser stream a file to disk, which it does only for addresses, and those carry no token. */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../backend/clock.js';

export const TICKET_LIFETIME_MS = 60_000;
/** Tickets in memory at once; the oldest give way. */
const MOST = 1_000;

export type Tickets<Subject> = {
  issue(subject: Subject): { ticket: string; expiresAt: number };
  /** What the ticket was issued for, once; undefined where it is unknown, used or too old. */
  redeem(ticket: string): Subject | undefined;
};

/** Kept in memory alone: a restart of the gateway voids them. */
export function createTickets<Subject>(clock: Pick<Clock, 'now'>): Tickets<Subject> {
  const open = new Map<string, { subject: Subject; expiresAt: number }>();
  return {
    issue(subject) {
      const now = clock.now();
      // In order of issue, and all live equally long: the outdated ones come first.
      for (const [ticket, { expiresAt }] of open) {
        if (expiresAt > now && open.size < MOST) break;
        open.delete(ticket);
      }
      const ticket = randomBytes(32).toString('base64url');
      const expiresAt = now + TICKET_LIFETIME_MS;
      open.set(ticket, { subject, expiresAt });
      return { ticket, expiresAt };
    },
    redeem(ticket) {
      const found = open.get(ticket);
      open.delete(ticket);
      return found && found.expiresAt > clock.now() ? found.subject : undefined;
    },
  };
}
