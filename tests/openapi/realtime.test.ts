import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ENDED_STATUSES, formatCursor, parseCursor, RUN_STATUSES } from '../../openapi/realtime.js';

test('a cursor is read as it was written', () => {
  const position = fc.record({
    epoch: fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
    seq: fc.maxSafeNat(),
  });
  fc.assert(fc.property(position, (at) => expect(parseCursor(formatCursor(at))).toEqual(at)));
});

test.each([
  '',
  '7',
  ':7',
  'epoch:',
  'epoch:-1',
  'epoch:1.5',
  'epoch:9007199254740992',
  'epoch:7:7',
  'ep och:7',
  `${'e'.repeat(65)}:7`,
])('“%s” is no cursor', (text) => {
  expect(parseCursor(text)).toBeUndefined();
});

test('a run that waits, works or is being stopped has not ended', () => {
  expect(ENDED_STATUSES).toEqual(['succeeded', 'failed', 'cancelled']);
  expect(RUN_STATUSES).toEqual(expect.arrayContaining(['queued', 'running', 'paused', 'interrupted']));
});
