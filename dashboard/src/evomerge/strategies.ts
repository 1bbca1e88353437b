import type { EvoMergeSettings } from '../api/schema.ts';

export const STRATEGIES: Record<NonNullable<EvoMergeSettings['strategy']>, string> = {
  tournament: 'Tournament',
  cma_es: 'CMA-ES',
  ga: 'Genetic algorithm',
  de: 'Differential evolution',
  nsga2: 'NSGA-II',
};
