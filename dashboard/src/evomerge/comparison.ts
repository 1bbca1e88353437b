import { baselineName, places, rivalsOf } from '../../../openapi/rivals.ts';
import type { EvoMergeReport, Fitness } from '../api/schema.ts';
import { count, figure, gain, ordinal, percent } from '../format/number.ts';
import { shortName } from './board.ts';

type Verdict = EvoMergeReport['verdict'];

/** The scores that belong side by side: fitness alone hides what was given up for it. */
export type Scores = Pick<Fitness, 'total' | 'accuracy' | 'mean_depth'>;

/** A fitness beside that of a parent, never without accuracy and depth. */
export function compare(own: Scores, parent: Scores | null): string[] {
  if (!parent) return [`accuracy ${accuracy(own)}`, `depth ${depth(own)}`];
  const change = gain(own.total, parent.total);
  return [
    ...(change ? [`${change} vs the best parent`] : []),
    `accuracy ${accuracy(own)} vs ${accuracy(parent)}`,
    `depth ${depth(own)} vs ${depth(parent)}`,
  ];
}

const accuracy = (scores: Scores): string => percent(scores.accuracy, 1);
const depth = ({ mean_depth }: Scores): string => mean_depth?.toFixed(2) ?? '–';

/** What a verdict looks like: green only where nothing was given up. */
export const VERDICTS: Record<Verdict['level'], 'good' | 'warn' | undefined> = {
  better: 'good',
  faster_but_solves_fewer: 'warn',
  solves_fewer: 'warn',
  not_better_than_merge: 'warn',
  not_better: 'warn',
  unmeasured: undefined,
};

/** One of the four that matter, with its scores on the same problems as the others'. */
export interface Rival {
  kind: 'merge' | 'unpolished' | 'champion' | 'parent';
  name: string;
  /** Which one it is. */
  detail: string;
  modelId: string | null;
  /** Null where the champion's row is that of a candidate. */
  candidateId: string | null;
  scores: Scores | null;
}

export interface Comparison {
  problems: 'heldout' | 'selection';
  rows: Rival[];
}

/** The champion between what it has to beat, the hardest first: on held-out problems once they were touched. */
export function comparison(report: EvoMergeReport): Comparison {
  const { champion, champion_heldout, unpolished_id, unpolished_heldout } = report;
  const problems = champion_heldout ? 'heldout' : 'selection';
  const { merge, parent } = rivalsOf(report.baselines, problems);
  const rows: (Rival | null)[] = [
    merge && {
      kind: 'merge',
      name: 'Best single merge',
      detail: baselineName(merge),
      modelId: merge.model_id,
      candidateId: null,
      scores: merge[problems],
    },
    // without polished weights the champion is its own best
    champion?.polished && unpolished_id && unpolished_heldout
      ? {
          kind: 'unpolished',
          name: 'Champion without polish',
          detail: shortName(unpolished_id),
          modelId: null,
          candidateId: unpolished_id,
          scores: unpolished_heldout,
        }
      : null,
    champion && {
      kind: 'champion',
      name: champion.polished ? 'Champion, polished' : 'Champion',
      detail: `${shortName(champion.id)}, ${champion.op}`,
      modelId: report.champion_model_id,
      candidateId: champion.id,
      scores: champion_heldout ?? champion.fitness,
    },
    parent && {
      kind: 'parent',
      name: 'Best parent',
      detail: parent.name.slice(parent.name.indexOf(':') + 1),
      modelId: parent.model_id,
      candidateId: null,
      scores: parent[problems],
    },
  ];
  return { problems, rows: rows.filter((row) => row !== null) };
}

/** A fitness of the champion, on problems that say ever more. */
export interface Step {
  problems: string;
  total: number;
  notes: string[];
}

/** What is left of the champion's fitness where luck did not choose it: empty where it was measured only once. */
export function fresherSteps(report: EvoMergeReport): Step[] {
  const { champion, champion_heldout, finalists = [], candidates } = report;
  if (!champion) return [];
  const final = places(finalists, champion.id);
  // nothing chose it: what it gains or loses is the difficulty of the problems
  const { parent } = rivalsOf(report.baselines, champion_heldout ? 'heldout' : 'selection');
  const parentNote = (scores: Scores | null | undefined) =>
    scores ? [`best parent ${figure(scores.total)}`] : [];
  const steps: Step[] = [
    {
      problems: 'In the search',
      total: champion.fitness.total,
      notes: [
        final
          ? `${ordinal(final.placeInSearch)} of ${final.of} finalists`
          : `of ${count(candidates)} candidates`,
        ...parentNote(parent?.selection),
      ],
    },
  ];
  if (final) {
    const place = `${ordinal(final.place)} of ${final.of} finalists`;
    steps.push({ problems: 'On fresh problems', total: final.fresh.total, notes: [place] });
  }
  if (champion_heldout) {
    steps.push({
      problems: 'On held-out problems',
      total: champion_heldout.total,
      notes: parentNote(parent?.heldout),
    });
  }
  return steps.length > 1 ? steps : [];
}

/** The task vectors that the recipes of a run combine, and what that means. */
export const BASES: Record<NonNullable<EvoMergeReport['basis']>, string> = {
  raw: 'each parent’s weights less what they started from',
  decoupled: 'of each parent’s change, what interferes least with the others’ (SWUDI)',
};
