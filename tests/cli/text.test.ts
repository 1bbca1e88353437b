import { describe, expect, test } from '@jest/globals';
import type { S } from '../../gateway/src/cli/contract.js';
import type { Report } from '../../gateway/src/cli/report.js';
import { reportText } from '../../gateway/src/cli/text.js';

const scores = (total: number, accuracy: number, mean_depth: number): S['Fitness'] => ({
  total,
  likelihood: 0.5,
  accuracy,
  compute: 1.25,
  memory: 1,
  mean_depth,
  tasks: {},
  problems: 96,
  partial: false,
});
const UNMEASURED: S['Fitness'] = {
  total: 0,
  likelihood: null,
  accuracy: null,
  compute: null,
  memory: null,
  mean_depth: null,
  tasks: {},
  problems: 96,
  partial: false,
};
const FAULT: S['Fault'] = { kind: 'merge_not_finite', message: 'linear: `w`: the result overflows' };

const baseline = (name: string, heldout: S['Fitness'] | null): S['Baseline'] => ({
  name,
  model_id: null,
  recipe: null,
  scale: null,
  parameters: 1,
  bytes: 4,
  selection: scores(0.6, 0.5, 3),
  fault: null,
  heldout,
  heldout_fault: null,
});

const compared = (name: string, fitness: number, accuracy: number, mean_depth: number) => ({
  name,
  model_id: null,
  fitness,
  accuracy,
  mean_depth,
  compute: 1.25,
});

const SENTENCE = 'Faster, but solves fewer: the champion solves 38.0 % of the held-out problems.';

const REPORT: Report = {
  ok: true,
  pipeline: 'p',
  runs: [],
  models: [],
  verdict: {
    level: 'faster_but_solves_fewer',
    sentence: SENTENCE,
    champion: compared('champion', 0.7, 0.38, 1.5),
    best_merge: compared('task_arithmetic', 0.69, 0.5, 2.5),
    unpolished: compared('unpolished', 0.68, 0.36, 1.4),
    best_parent: compared('a', 0.65, 0.55, 3.25),
    most_accurate_parent: compared('a', 0.65, 0.55, 3.25),
  },
  champion: {
    id: 'm',
    name: 'champion of r',
    kind: 'merged',
    parameters: 1,
    bytes: 4,
    digest: '0'.repeat(64),
    path: '/models/m.safetensors',
    metrics: {},
    candidate: 'r.g1.s2',
    generation: 1,
    op: 'ties',
    polished: true,
    fitness: scores(0.72, 0.4, 1.5),
    heldout: scores(0.7, 0.38, 1.5),
    heldout_fault: null,
  },
  unpolished: { candidate: 'r.g1.s1', heldout: scores(0.68, 0.36, 1.4) },
  basis: 'decoupled',
  finalists: [
    { candidate_id: 'r.g1.s2', selection: 0.72, fitness: scores(0.71, 0.4, 1.5), fault: null },
    { candidate_id: 'r.g1.s1', selection: 0.73, fitness: scores(0.7, 0.4, 1.5), fault: null },
    { candidate_id: 'r.g0.s1', selection: 0.71, fitness: UNMEASURED, fault: FAULT },
  ],
  baselines: [
    baseline('parent:a', scores(0.65, 0.55, 3.25)),
    { ...baseline('task_arithmetic', scores(0.69, 0.5, 2.5)), scale: 0.7 },
    { ...baseline('ties', scores(0.61, 0.5, 2.5)), scale: 1.5 },
    { ...baseline('uniform_average', null), selection: UNMEASURED, fault: FAULT, heldout_fault: FAULT },
    baseline('best_generation_0', null),
  ],
  aligned_to: null,
  barriers: [
    {
      first: 'a',
      second: 'b',
      before: { points: [], barrier: null, fault: FAULT },
      after: null,
    },
  ],
  fitness_history: [
    { generation: 0, best: 0.6, mean: 0.5, worst: 0.4, diversity: 0.1, faulted: 3 },
    { generation: 1, best: 0, mean: 0, worst: 0, diversity: 0.1, faulted: 0 },
    { generation: 2, best: 0.7, mean: 0.6, worst: 0.5, diversity: 0.1, faulted: 0 },
  ],
  heldout: [],
  proof: null,
  timings: { cognate: null, evomerge: null, creation: null, command: 1 },
};

describe('the report for a person', () => {
  const lines = reportText(REPORT, 80).split('\n');

  test('begins with the verdict, as the backend words it', () => {
    expect(lines[0]).toBe(SENTENCE);
  });

  test('then compares, the hardest to beat first', () => {
    const first = lines.indexOf('Fitness and its held-out components');
    expect(first).toBe(2);
    const names = lines.slice(first + 2, first + 6).map((line) => line.split(/ {2,}/)[0]);
    expect(names).toEqual([
      'Best single merge: Task arithmetic, λ 0.7',
      'Champion without polish',
      'Champion, polished',
      'Best parent: Parent a',
    ]);
  });

  test('has no verdict where nothing was bred', () => {
    expect(reportText({ ...REPORT, verdict: null, champion: null, baselines: [] }, 80)).not.toContain(
      'Faster',
    );
  });

  test.each([
    ['heading', /^ +selection +held-out +accuracy +depth +likelihood +compute +memory$/],
    ['champion', /^Champion, polished +0\.720 +0\.700 +0\.380 +1\.500 +0\.500 +1\.250 +1\.000$/],
    ['the best single merge', /^Best single merge: Task arithmetic, λ 0\.7 +0\.600 +0\.690 +0\.500 +2\.500/],
    ['another merge', /^TIES, λ 1\.5 +0\.600 +0\.610 +0\.500 +2\.500/],
    ['the champion without its polish', /^Champion without polish +– +0\.680 +0\.360 +1\.400/],
    [
      'fresh problems',
      /^The champion's fitness: 0\.720 in the search \(place 2 of 3 finalists\) → 0\.710 on fresh problems \(place 1\) → 0\.700 held-out$/,
    ],
    ['the same of what nothing chose', /^The best parent's: 0\.600 → 0\.650 held-out$/],
    ['basis', /^Task vectors: decoupled, .+SWUDI/],
    ['parent', /^Best parent: Parent a +0\.600 +0\.650 +0\.550 +3\.250 +0\.500 +1\.250 +1\.000$/],
    ['a baseline without scores', /^Uniform average +–$/],
    ['why', /^not measurable: Uniform average: linear: `w`: the result overflows$/],
    ['why, at the end', /^not measurable: Uniform average, held-out: linear: `w`: the result overflows$/],
    ['best of generation 0', /^Best of generation 0 +0\.600$/],
    ['a path without a barrier', /^a +b +–$/],
    ['why there is none', /^between a and b: linear: `w`: the result overflows$/],
    ['generations, but for one without a best', /^▁█ {2}0\.600 → 0\.700$/],
    ['candidates without scores', /^3 candidates could not be merged or measured: fitness 0/],
  ])('%s', (_, wanted) => {
    expect(lines).toContainEqual(expect.stringMatching(wanted));
  });
});
