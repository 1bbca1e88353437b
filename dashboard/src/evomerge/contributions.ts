import type { EvoMergeSettings, Fitness } from '../api/schema.ts';

export const COMPONENTS = ['perplexity', 'accuracy', 'compute', 'memory'] as const;
export type Component = (typeof COMPONENTS)[number];

export interface Contribution {
  name: Component;
  /** The component in its own unit. */
  value: number;
  /** What it adds to the total; null where the run's weights are not told. */
  part: number | null;
}

export function contributions(fitness: Fitness, weights: EvoMergeSettings['fitness']): Contribution[] {
  return COMPONENTS.map((name) => {
    const weight = weights?.[name];
    return { name, value: fitness[name], part: weight === undefined ? null : weight * fitness[name] };
  });
}
