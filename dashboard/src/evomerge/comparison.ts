import type { EvoMergeReport, Fitness } from '../api/schema.ts';
import { gain, percent } from '../format/number.ts';

type Verdict = EvoMergeReport['verdict'];

/** The scores that belong side by side: fitness alone hides what was given up for it. */
export type Scores = Pick<Fitness, 'total' | 'accuracy' | 'mean_depth'>;

interface Comparison {
  tone: 'good' | 'warn' | undefined;
  lines: string[];
}

/** A fitness beside that of a parent, never without accuracy and depth; amber where it solves fewer. */
export function compare(own: Scores, parent: Scores | null): Comparison {
  if (!parent) return { tone: undefined, lines: [`accuracy ${accuracy(own)}`, `depth ${depth(own)}`] };
  const fewer = (own.accuracy ?? 0) < (parent.accuracy ?? 0);
  const fitter = own.total > parent.total;
  const change = gain(own.total, parent.total);
  return {
    tone: fewer ? 'warn' : fitter ? 'good' : undefined,
    lines: [
      ...(change ? [`${change} vs the best parent`] : []),
      `accuracy ${accuracy(own)} vs ${accuracy(parent)}`,
      `depth ${depth(own)} vs ${depth(parent)}`,
    ],
  };
}

const accuracy = (scores: Scores): string => percent(scores.accuracy, 1);
const depth = ({ mean_depth }: Scores): string => mean_depth?.toFixed(2) ?? '–';

/** What a verdict looks like: green only where nothing was given up. */
export const VERDICTS: Record<Verdict['level'], { tone: 'good' | 'warn' | undefined; words: string }> = {
  better: { tone: 'good', words: 'better' },
  faster_but_solves_fewer: { tone: 'warn', words: 'faster, but solves fewer' },
  solves_fewer: { tone: 'warn', words: 'fitter, but solves fewer' },
  not_better_than_merge: { tone: 'warn', words: 'no better than a single merge' },
  not_better: { tone: 'warn', words: 'not better' },
  unmeasured: { tone: undefined, words: 'no verdict' },
};
