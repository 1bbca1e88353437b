import { expect, test } from '@jest/globals';
import type { EvoMergeReport } from '../../../dashboard/src/api/schema.js';
import {
  compare,
  comparison,
  fresherSteps,
  type Scores,
} from '../../../dashboard/src/evomerge/comparison.js';
import { partialText } from '../../../dashboard/src/evomerge/partial.js';

const scores = (total: number, accuracy: number, mean_depth: number): Scores => ({
  total,
  accuracy,
  mean_depth,
});
const PARENT = scores(0.5, 0.55, 3);

test.each([
  ['fitter', scores(0.6, 0.6, 2.5), '+20.0 %'],
  ['less fit', scores(0.4, 0.38, 1.2), '−20.0 %'],
  ['without any score', { total: 0, accuracy: null, mean_depth: null }, '−100.0 %'],
] as const)('a fitness never stands without accuracy and depth: %s', (_, own, change) => {
  expect(compare(own, PARENT)).toEqual([
    `${change} vs the best parent`,
    expect.stringMatching(/^accuracy .+ vs 55\.0 %$/),
    expect.stringMatching(/^depth .+ vs 3\.00$/),
  ]);
  expect(compare(PARENT, null)).toEqual(['accuracy 55.0 %', 'depth 3.00']);
});

const fault = { kind: 'loss_not_finite', message: 'the loss is not finite' };
const baseline = (name: string, selection: number, heldout: number | null, more = {}) => ({
  name,
  model_id: null,
  selection: scores(selection, 0.5, 2),
  heldout: heldout === null ? null : scores(heldout, 0.5, 2),
  fault: null,
  ...more,
});
const REPORT = {
  champion: { id: 'R.g4.s1', op: 'ties', polished: true, fitness: scores(0.8, 0.8, 2) },
  champion_model_id: 'mdl_c',
  champion_heldout: scores(0.74, 0.7, 2),
  unpolished_id: 'R.g3.s0',
  unpolished_heldout: scores(0.72, 0.7, 2),
  candidates: 40,
  finalists: [
    { candidate_id: 'R.g4.s1', selection: 0.8, fitness: scores(0.76, 0.7, 2), fault: null },
    { candidate_id: 'R.g3.s0', selection: 0.81, fitness: scores(0.75, 0.7, 2), fault: null },
  ],
  baselines: [
    baseline('parent:a', 0, null, { fault }),
    baseline('parent:b', 0.6, 0.5),
    baseline('parent:c', 0.4, 0.55),
    baseline('uniform_average', 0.7, 0.6),
    baseline('ties', 0.65, 0.65, { scale: 1.5 }),
    baseline('foundation', 0.9, 0.9),
    baseline('best_generation_0', 0.95, null),
  ],
} as unknown as EvoMergeReport;

const rows = (report: EvoMergeReport) =>
  comparison(report).rows.map(({ name, detail, scores: own }) => [name, detail, own?.total]);

test('the best single merge comes first, and no foundation is one', () => {
  expect(comparison(REPORT).problems).toBe('heldout');
  expect(rows(REPORT)).toEqual([
    ['Best single merge', 'TIES, λ 1.5', 0.65],
    ['Champion without polish', 'g3.s0', 0.72],
    ['Champion, polished', 'g4.s1, ties', 0.74],
    ['Best parent', 'c', 0.55],
  ]);
});

test('before the held-out problems are touched the selection problems compare', () => {
  const early = { ...REPORT, champion_heldout: null, unpolished_id: null, unpolished_heldout: null };
  expect(rows(early)).toEqual([
    ['Best single merge', 'Uniform average', 0.7],
    ['Champion, polished', 'g4.s1, ties', 0.8],
    ['Best parent', 'b', 0.6],
  ]);
  expect(rows({ ...early, champion: null, baselines: early.baselines.slice(0, 1) })).toEqual([]);
});

test('a champion without polish is its own best', () => {
  const champion = { ...REPORT.champion, polished: false } as EvoMergeReport['champion'];
  expect(rows({ ...REPORT, champion }).map(([name]) => name)).toEqual([
    'Best single merge',
    'Champion',
    'Best parent',
  ]);
});

test('the champion’s fitness on ever fresher problems, beside a parent that nothing chose', () => {
  expect(fresherSteps(REPORT)).toEqual([
    { problems: 'In the search', total: 0.8, notes: ['2nd of 2 finalists', 'best parent 0.4000'] },
    { problems: 'On fresh problems', total: 0.76, notes: ['1st of 2 finalists'] },
    { problems: 'On held-out problems', total: 0.74, notes: ['best parent 0.5500'] },
  ]);
});

test('a report from before there were finalists', () => {
  const { finalists: _, ...old } = REPORT;
  const steps = fresherSteps(old as EvoMergeReport);
  expect(steps.map(({ problems }) => problems)).toEqual(['In the search', 'On held-out problems']);
  expect(fresherSteps({ ...REPORT, finalists: [], champion_heldout: null })).toEqual([]);
});

test('a candidate that stopped early says when, where that was recorded', () => {
  expect(partialText({ problems: 48 })).toBe(
    'Stopped early after 48 problems: on these it was worse than the fourth best.',
  );
  expect(partialText({ problems: null })).toBe(
    'Stopped early after some problems: on these it was worse than the fourth best.',
  );
});
