import type { FieldGroup } from '../form/config-form.tsx';

export const GROUPS: readonly FieldGroup[] = [
  { title: 'Breeding', names: ['generations', 'population', 'seed', 'strategy', 'elitism', 'ops'] },
  { title: 'Search', names: ['basis', 'polish_steps', 'racing', 'finalists', 'final_problems'] },
  { title: 'Alignment', names: ['align', 'barrier_points'] },
  { title: 'Variation', names: ['mutation_rate', 'mutation_sigma', 'min_diversity'] },
  { title: 'Stop', names: ['patience', 'min_delta'] },
  { title: 'Evaluation', names: ['fitness', 'datasets', 'eval_problems', 'heldout_problems', 'device'] },
];
