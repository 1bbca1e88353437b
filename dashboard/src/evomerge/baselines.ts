import type { EvoMergeReport, Fitness } from '../api/schema.ts';
import { measured } from './faults.ts';

type Baseline = EvoMergeReport['baselines'][number];

const PARENT = 'parent:';

export const isParent = ({ name }: Baseline): boolean => name.startsWith(PARENT);

/** What the champion has to beat: the parent of the highest fitness on the selection problems. */
export function bestParent({ baselines }: EvoMergeReport): Baseline | null {
  return baselines
    .filter((baseline) => isParent(baseline) && measured(baseline))
    .reduce<Baseline | null>(
      (best, next) => (!best || next.selection.total > best.selection.total ? next : best),
      null,
    );
}

/** `parent:x` → `Parent x`, `uniform_average` → `Uniform average`, `best_generation_0` → `Best of generation 0`. */
export function baselineName({ name }: Baseline): string {
  if (name.startsWith(PARENT)) return `Parent ${name.slice(PARENT.length)}`;
  if (name === 'best_generation_0') return 'Best of generation 0';
  const words = name.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The held-out scores of the parent that is fittest there; null where none was measured. */
export function bestHeldout({ baselines }: EvoMergeReport): Fitness | null {
  return baselines
    .filter(isParent)
    .reduce<Fitness | null>(
      (best, { heldout }) => (heldout && (!best || heldout.total > best.total) ? heldout : best),
      null,
    );
}
