import { expect, test } from '@jest/globals';
import { compare, type Scores } from '../../../dashboard/src/evomerge/comparison.js';

const scores = (total: number, accuracy: number, mean_depth: number): Scores => ({
  total,
  accuracy,
  mean_depth,
});
const PARENT = scores(0.5, 0.55, 3);

test.each([
  ['fitter, and solves more', scores(0.6, 0.6, 2.5), 'good', '+20.0 %'],
  ['fitter, and solves as many', scores(0.6, 0.55, 2.5), 'good', '+20.0 %'],
  ['fitter, but solves fewer', scores(0.6, 0.38, 1.2), 'warn', '+20.0 %'],
  ['less fit, and solves fewer', scores(0.4, 0.38, 1.2), 'warn', '−20.0 %'],
  ['less fit, and solves more', scores(0.4, 0.6, 4), undefined, '−20.0 %'],
  ['without any score', { total: 0, accuracy: null, mean_depth: null }, 'warn', '−100.0 %'],
] as const)('a fitness is green only where nothing was given up for it: %s', (_, own, tone, change) => {
  const compared = compare(own, PARENT);
  expect(compared.tone).toBe(tone);
  expect(compared.lines).toEqual([
    `${change} vs the best parent`,
    expect.stringMatching(/^accuracy .+ vs 55\.0 %$/),
    expect.stringMatching(/^depth .+ vs 3\.00$/),
  ]);
});

test('accuracy and depth stand beside a fitness that has nothing to be compared with', () => {
  expect(compare(PARENT, null)).toEqual({ tone: undefined, lines: ['accuracy 55.0 %', 'depth 3.00'] });
});
