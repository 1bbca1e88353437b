import { isParent } from '../../../openapi/rivals.ts';
import type { EvoMergeReport } from '../api/schema.ts';

export type Barrier = EvoMergeReport['barriers'][number];
export type Path = Barrier['before'];

/** Nats. Below, the perplexity on the straight line is no more than 5 % above that expected by interpolation. */
const FLAT = 0.05;
/** Nats. Above, the perplexity is more than a third higher. */
const HILL = 0.3;

/** What tells the parents from each other, by id: their names without the words at either end that all share. */
export function parentLabels({ baselines }: EvoMergeReport): Map<string, string> {
  const parents = baselines.filter(isParent);
  const words = parents.map(({ name }) => name.slice('parent:'.length).split('_'));
  const shared = (from: (list: string[], index: number) => string | undefined): number => {
    const shortest = Math.min(...words.map(({ length }) => length));
    let index = 0;
    while (index < shortest && new Set(words.map((list) => from(list, index))).size === 1) index += 1;
    return index;
  };
  const start = shared((list, index) => list[index]);
  const end = shared((list, index) => list.at(-1 - index));
  return new Map(
    parents.map(({ name, model_id }, index) => {
      const own = (words[index] ?? []).slice(start, (words[index]?.length ?? 0) - end).join(' ');
      return [model_id ?? name, own || name.slice('parent:'.length)];
    }),
  );
}

/** The path that candidates are made on: with the parents aligned, where they are. */
export const used = ({ before, after }: Barrier): Path => after ?? before;

/** What a barrier means for a merge. */
export function verdict(barrier: Barrier): string {
  const { barrier: height, fault } = used(barrier);
  if (height === null)
    return `This path cannot be measured: ${fault?.message ?? 'a point on it has no loss'}.`;
  if (height <= FLAT) return 'No loss barrier: these parents can be averaged.';
  const factor = Math.exp(height);
  const perplexity = factor < 100 ? `${factor.toFixed(1)} times` : 'more than a hundred times';
  return height <= HILL
    ? `A low loss barrier: between the parents, perplexity is up to ${perplexity} that expected by interpolation.`
    : `A loss barrier: between the parents, perplexity is up to ${perplexity} that expected by interpolation, so an average loses what either parent can do.`;
}

/** What aligning has changed; null where the parents stayed as they were, or a path was not measured. */
export function change({ before, after }: Barrier): string | null {
  if (!after) return null;
  if (before.barrier === null || after.barrier === null || before.barrier <= FLAT) return null;
  const share = 1 - after.barrier / before.barrier;
  return share >= 0.01
    ? `Matching their units lowered it by ${Math.round(share * 100)} %.`
    : 'Matching their units did not lower it.';
}
