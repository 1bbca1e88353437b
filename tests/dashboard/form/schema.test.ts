import { expect, test } from '@jest/globals';
import { type JsonSchema, rangeOf } from '../../../dashboard/src/form/schema.js';

/** The words themselves are those of tests/openapi/allowed-values.json. */
const cases: [string, JsonSchema, string][] = [
  ['thousands are set apart', { minimum: 8, maximum: 10_000 }, '8 to 10,000'],
  [
    'a small fraction stays one',
    { exclusiveMinimum: 0, maximum: 0.00001 },
    'more than 0 and at most 0.00001',
  ],
  ['no limit', {}, ''],
  ['a maximum that nobody reaches', { minimum: 0, maximum: Number.MAX_SAFE_INTEGER }, 'at least 0'],
  ['one value alone', { minimum: 3, maximum: 3 }, ''],
];

test.each(cases)('limits in words: %s', (_, schema, wanted) => {
  expect(rangeOf(schema)).toBe(wanted);
});
