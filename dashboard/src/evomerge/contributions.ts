import type { EvoMergeSettings, Fitness } from '../api/schema.ts';

const COMPONENTS = ['likelihood', 'accuracy', 'compute', 'memory'] as const;
type Component = (typeof COMPONENTS)[number];

interface Contribution {
  name: Component;
  /** The component in its own unit; null where it was not measured. */
  value: number | null;
  /** What it adds to the total; null where it adds nothing, or the run's weights are unknown. */
  part: number | null;
}

export function contributions(fitness: Fitness, weights: EvoMergeSettings['fitness']): Contribution[] {
  return COMPONENTS.map((name) => {
    const weight = weights?.[name];
    const value = fitness[name];
    return { name, value, part: weight === undefined || value === null ? null : weight * value };
  });
}
