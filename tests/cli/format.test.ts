import { describe, expect, test } from '@jest/globals';
import { bytes, figure, seconds, sparkline, table } from '../../gateway/src/cli/format.js';

describe('figures for people', () => {
  test.each<[string, string]>([
    [bytes(0), '0 bytes'],
    [bytes(1023), '1023 bytes'],
    [bytes(233_128_964), '222.3 MiB'],
    [seconds(0.94), '0.9 s'],
    [seconds(61.2), '61 s'],
    [seconds(135), '2 min 15 s'],
    [seconds(179.7), '3 min 0 s'],
    [seconds(4000), '1 h 7 min'],
    [seconds(7190), '2 h 0 min'],
    [figure(0.12345), '0.123'],
    [figure(54.321), '54.32'],
    [figure(54321), '5.432e+4'],
  ])('%s', (found, wanted) => {
    expect(found).toBe(wanted);
  });

  test.each<[string, number[], number, string]>([
    ['rises', [0, 1, 2, 3, 4, 5, 6, 7], 8, '▁▂▃▄▅▆▇█'],
    ['is flat', [3, 3, 3], 8, '▁▁▁'],
    ['is longer than its place', [0, 0, 1, 1], 2, '▁█'],
  ])('a line that %s', (_, values, width, wanted) => {
    expect(sparkline(values, width)).toBe(wanted);
  });

  test('columns line up', () => {
    expect(
      table(
        [
          ['name', 'n'],
          ['a', '100'],
        ],
        [1],
      ),
    ).toEqual(['name    n', 'a     100']);
  });
});
