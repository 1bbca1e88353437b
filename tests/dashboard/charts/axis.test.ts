import { expect, test } from '@jest/globals';
import { extent, padded, scale, ticks } from '../../../dashboard/src/charts/axis.js';

test.each([
  [0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]],
  [0.05, 0.35, 4, [0.1, 0.2, 0.3]],
  [-3, 3, 4, [-2, 0, 2]],
  [1.4e6, 4.1e6, 5, [2e6, 3e6, 4e6]],
  [2, 2, 5, []],
])('round numbers from %d to %d, about %d', (low, high, most, wanted) => {
  expect(ticks(low, high, most)).toEqual(wanted);
});

test.each<[string, number[], [number | null, number | null], [number, number]]>([
  ['air on both sides', [0, 100], [null, null], [-6, 106]],
  ['none beyond a given limit', [50, 100], [0, null], [0, 106]],
  ['one value in the middle', [100], [null, null], [94, 106]],
  ['no data', [], [null, null], [0, 1]],
  ['no data, one limit', [], [0, null], [0, 1]],
])('limits: %s', (_, values, fixed, wanted) => {
  expect(padded(...extent(values), fixed)).toEqual(wanted);
});

test('values lie on pixels, and all on the first where they are equal', () => {
  expect([0, 5, 10].map(scale([0, 10], 100, 20))).toEqual([100, 60, 20]);
  expect(scale([3, 3], 100, 20)(3)).toBe(100);
});
