import type { components } from './backend.js';

type Finalist = components['schemas']['Finalist'];
type Baseline = components['schemas']['Baseline'];

/** What a champion is compared with, the hardest to beat first. */
export interface Rivals {
  /** The fittest single merge of the parents. */
  merge: Baseline | null;
  /** The fittest parent. */
  parent: Baseline | null;
  others: Baseline[];
}

const PARENT = 'parent:';
const NO_MERGES = ['foundation', 'best_generation_0'];

export const isParent = ({ name }: Pick<Baseline, 'name'>): boolean => name.startsWith(PARENT);

export const isMerge = (baseline: Pick<Baseline, 'name'>): boolean =>
  !isParent(baseline) && !NO_MERGES.includes(baseline.name);

/** The fittest of each kind on those problems; one without scores there is nobody's rival. */
export function rivalsOf(baselines: readonly Baseline[], problems: 'selection' | 'heldout'): Rivals {
  const merge = fittest(baselines.filter(isMerge), problems);
  const parent = fittest(baselines.filter(isParent), problems);
  return { merge, parent, others: baselines.filter((one) => one !== merge && one !== parent) };
}

function fittest(baselines: readonly Baseline[], problems: 'selection' | 'heldout'): Baseline | null {
  const scored = baselines.flatMap((one) => {
    const fitness = problems === 'heldout' ? one.heldout : one.fault ? null : one.selection;
    return fitness ? [{ one, total: fitness.total }] : [];
  });
  return scored.sort((a, b) => b.total - a.total)[0]?.one ?? null;
}

const NAMES: Record<string, string> = {
  best_generation_0: 'Best of generation 0',
  swudi: 'SWUDI',
  ties: 'TIES',
};

/** `parent:x` → `Parent x`, `task_arithmetic` → `Task arithmetic`, with λ where several were tried. */
export function baselineName({ name, scale }: Pick<Baseline, 'name'> & { scale?: number | null }): string {
  if (isParent({ name })) return `Parent ${name.slice(PARENT.length)}`;
  const words = name.replaceAll('_', ' ');
  const known = NAMES[name] ?? words.charAt(0).toUpperCase() + words.slice(1);
  return scale == null ? known : `${known}, λ ${scale}`;
}

/** Where the finalist stands among the others, from 1: in the search, and on the fresh problems. */
export function places(finalists: readonly Finalist[], candidateId: string) {
  const own = finalists.find(({ candidate_id }) => candidate_id === candidateId);
  if (!own || own.fault) return null;
  return {
    fresh: own.fitness,
    of: finalists.length,
    place: 1 + finalists.filter(({ fault, fitness }) => !fault && fitness.total > own.fitness.total).length,
    placeInSearch: 1 + finalists.filter(({ selection }) => selection > own.selection).length,
  };
}
