import { expect, test } from '@jest/globals';
import { faultText } from '../../../dashboard/src/evomerge/faults.js';

test.each([
  [
    'dare_linear: `embedding.weight`: the result overflows',
    'dare_linear: embedding.weight: the result overflows.',
  ],
  [
    "on arithmetic the model's outputs are not finite: they overflow",
    "On arithmetic the model's outputs are not finite: they overflow.",
  ],
  ['ties: it needs a base.', 'ties: it needs a base.'],
])('a fault is a sentence: %s', (message, wanted) => {
  expect(faultText({ message })).toBe(wanted);
});
