/** Download tickets: once, within a minute, never more in memory than a thousand. */
import { expect, test } from '@jest/globals';
import { createTickets, TICKET_LIFETIME_MS } from '../../gateway/src/routes/tickets.js';

function at(start: number) {
  let now = start;
  const tickets = createTickets<string>({ now: () => now });
  return { tickets, pass: (ms: number) => (now += ms) };
}

test('a ticket is good once', () => {
  const { tickets } = at(1_000);
  const { ticket, expiresAt } = tickets.issue('a file');
  expect(expiresAt).toBe(1_000 + TICKET_LIFETIME_MS);
  expect(ticket).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect([tickets.redeem(ticket), tickets.redeem(ticket)]).toEqual(['a file', undefined]);
});

test.each([
  [TICKET_LIFETIME_MS - 1, 'a file'],
  [TICKET_LIFETIME_MS, undefined],
])('after %d ms it gives %s', (ms, expected) => {
  const { tickets, pass } = at(0);
  const { ticket } = tickets.issue('a file');
  pass(ms);
  expect(tickets.redeem(ticket)).toBe(expected);
});

test('the oldest of too many give way', () => {
  const { tickets } = at(0);
  const issued = Array.from({ length: 1_001 }, (_, index) => tickets.issue(String(index)).ticket);
  expect(
    issued.map((ticket) => tickets.redeem(ticket)).filter((subject) => subject === undefined),
  ).toHaveLength(1);
});
