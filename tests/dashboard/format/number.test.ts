import { expect, test } from '@jest/globals';
import { bytes, column, ordinal } from '../../../dashboard/src/format/number.js';

test.each([
  [1, '1st'],
  [2, '2nd'],
  [3, '3rd'],
  [4, '4th'],
  [10, '10th'],
  [11, '11th'],
  [12, '12th'],
  [13, '13th'],
  [21, '21st'],
  [22, '22nd'],
  [23, '23rd'],
  [101, '101st'],
  [111, '111th'],
  [1002, '1,002nd'],
])('%d as an ordinal is %s', (value, wanted) => {
  expect(ordinal(value)).toBe(wanted);
});

test.each([
  ['below ten', [0.5, 1.23456], ['0.5000', '1.2346']],
  ['one above ten', [0.5, 12.3456], ['0.50', '12.35']],
  ['one above a hundred', [0.5, 123.456], ['0.5', '123.5']],
  ['one far above', [0.5, 1e300], ['0.500', '1.00e+300']],
  ['gaps and what is no number', [0.5, null, undefined, Number.NaN], ['0.5000']],
])('numbers of one column have one number of digits: %s', (_, values, wanted) => {
  const format = column(values);
  const numbers = values.filter((value) => value != null && !Number.isNaN(value)) as number[];
  expect(numbers.map(format)).toEqual(wanted);
});

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [3_510_308, '3.3 MiB'],
  [3_516_020, '3.4 MiB'],
  [233_128_964, '222.3 MiB'],
])('%d bytes are %s', (value, wanted) => {
  expect(bytes(value)).toBe(wanted);
});
