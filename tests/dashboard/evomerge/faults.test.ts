import { expect, test } from '@jest/globals';
import { bestHeldout, bestParent } from '../../../dashboard/src/evomerge/baselines.js';
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

test('a parent without scores is nobody’s best parent', () => {
  const scores = (total: number) => ({ total, accuracy: total, mean_depth: 2 });
  const fault = { kind: 'loss_not_finite', message: 'the loss is not finite' };
  const report = {
    baselines: [
      { name: 'parent:a', selection: scores(0), fault, heldout: null },
      { name: 'parent:b', selection: scores(0.4), fault: null, heldout: scores(0.3) },
      { name: 'uniform_average', selection: scores(0.9), fault: null, heldout: scores(0.9) },
    ],
  } as unknown as Parameters<typeof bestParent>[0];
  expect(bestParent(report)?.name).toBe('parent:b');
  expect(bestHeldout(report)?.total).toBe(0.3);
  expect(bestParent({ ...report, baselines: report.baselines.slice(0, 1) })).toBeNull();
});
