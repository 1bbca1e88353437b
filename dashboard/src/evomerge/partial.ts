import type { Fitness } from '../api/schema.ts';
import { count } from '../format/number.ts';

/** Why a candidate was not measured to the end. */
export const partialText = ({ problems }: Pick<Fitness, 'problems'>): string =>
  `Stopped early after ${problems == null ? 'some' : count(problems)} problems: on these it was worse than the fourth best.`;
