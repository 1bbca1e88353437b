import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { draw } from '../../gateway/src/cli/proof.js';

const items = Array.from({ length: 400 }, (_, index) => `run.g${Math.floor(index / 8)}.s${index % 8}`);

test('a draw is repeatable by anybody who knows the seed', () => {
  expect(draw(items, 3, 42)).toEqual(draw(items, 10, 42).slice(0, 3));
  expect(draw(items, 10, 42)).not.toEqual(draw(items, 10, 43));
});

test('a draw holds different items, as many as there are at most', () => {
  fc.assert(
    fc.property(fc.nat(30), fc.nat(30), fc.nat(), (length, size, seed) => {
      const drawn = draw(items.slice(0, length), size, seed);
      expect(new Set(drawn).size).toBe(Math.min(length, size));
    }),
  );
});
