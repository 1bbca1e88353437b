import type { EvoMergeReport } from '../api/schema.ts';

type Baseline = EvoMergeReport['baselines'][number];

const PARENT = 'parent:';

export const isParent = ({ name }: Baseline): boolean => name.startsWith(PARENT);

/** What the champion has to beat: the parent of the highest fitness on the selection problems. */
export function bestParent({ baselines }: EvoMergeReport): Baseline | null {
  return baselines
    .filter(isParent)
    .reduce<Baseline | null>(
      (best, next) => (!best || next.selection.total > best.selection.total ? next : best),
      null,
    );
}

/** `parent:x` → `Parent x`, `uniform_average` → `Uniform average`. */
export function baselineName({ name }: Baseline): string {
  if (name.startsWith(PARENT)) return `Parent ${name.slice(PARENT.length)}`;
  const words = name.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The highest fitness of a parent on problems that nothing was selected on; null where they were not tried. */
export function bestHeldout({ baselines }: EvoMergeReport): number | null {
  const scores = baselines.filter(isParent).flatMap(({ heldout }) => (heldout ? [heldout.total] : []));
  return scores.length > 0 ? Math.max(...scores) : null;
}
