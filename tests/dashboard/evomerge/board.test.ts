import { expect, test } from '@jest/globals';
import type { Candidate, Generation } from '../../../dashboard/src/api/schema.js';
import { positionOf, rankOf, shortName, slotsOf } from '../../../dashboard/src/evomerge/board.js';

const candidate = (generation: number, slot: number) =>
  ({ id: `RUN.g${generation}.s${slot}`, generation, slot }) as Candidate;
const complete = (index: number, size = 3) =>
  ({
    index,
    ranked: Array.from({ length: size }, (_, slot) => `RUN.g${index}.s${size - 1 - slot}`),
  }) as Generation;
const whole = (generation: number) => [0, 1, 2].map((slot) => candidate(generation, slot));

test.each([
  ['nothing yet', [], 'filling', ['in progress', 'not yet', 'not yet']],
  ['the first is there', [candidate(4, 0)], 'filling', ['evaluated', 'in progress', 'not yet']],
  ['paused', [candidate(4, 0)], 'waiting', ['evaluated', 'not yet', 'not yet']],
  ['cancelled', [candidate(4, 0)], 'ended', ['evaluated', 'never', 'never']],
  ['all', whole(4), 'filling', ['evaluated', 'evaluated', 'evaluated']],
  ['only of others', whole(3), 'filling', ['in progress', 'not yet', 'not yet']],
  [
    'more than the settings say',
    [...whole(4), candidate(4, 3)],
    'ended',
    ['evaluated', 'evaluated', 'evaluated', 'evaluated'],
  ],
] as const)('a generation has all its slots at any time: %s', (_, candidates, state, wanted) => {
  const slots = slotsOf(candidates, 4, 3, state);
  expect(slots.map((slot) => slot.state)).toEqual(wanted);
  expect(slots.map(({ index }) => index)).toEqual(wanted.map((_, index) => index));
});

test.each([
  ['nothing yet', [], [], false, { complete: null, filling: 0, newest: 0 }],
  ['the first fills', [candidate(0, 0)], [], false, { complete: null, filling: 0, newest: 0 }],
  ['the second has not begun', whole(0), [complete(0)], false, { complete: 0, filling: 1, newest: 1 }],
  [
    'the second fills',
    [...whole(0), candidate(1, 0)],
    [complete(0)],
    false,
    { complete: 0, filling: 1, newest: 1 },
  ],
  [
    'all are bred',
    [...whole(0), ...whole(1)],
    [complete(0), complete(1)],
    false,
    { complete: 1, filling: null, newest: 1 },
  ],
  [
    'cancelled',
    [...whole(0), candidate(1, 0)],
    [complete(0)],
    true,
    { complete: 0, filling: null, newest: 1 },
  ],
] as const)('where a run of two generations is: %s', (_, candidates, generations, bred, wanted) => {
  expect(positionOf(candidates, generations, 2, bred)).toEqual(wanted);
});

test('a name is the end of the id; a rank is the place by fitness, not the slot', () => {
  expect(shortName('01M8C79MBY78PN6772XA85Y71X.g45.s2')).toBe('g45.s2');
  expect(shortName('mdl_7291ef9ded7579155a67710b')).toBe('mdl_7291ef9ded7579155a67710b');
  expect([0, 1, 2].map((slot) => rankOf(`RUN.g7.s${slot}`, complete(7)))).toEqual([3, 2, 1]);
  expect(rankOf('RUN.g7.s0', undefined)).toBeNull();
  expect(rankOf('RUN.g8.s0', complete(7))).toBeNull();
});
