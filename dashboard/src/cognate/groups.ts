import type { FieldGroup } from '../form/config-form.tsx';

export const GROUPS: readonly FieldGroup[] = [
  {
    title: 'Model',
    names: ['preset', 'initialization', 'specializations', 'seeds', 'window', 'tokenizer'],
  },
  {
    title: 'Training',
    names: [
      'foundation_steps',
      'train_steps',
      'batch_tokens',
      'muon_learning_rate',
      'adamw_learning_rate',
      'warmup_fraction',
      'weight_decay',
      'gradient_clip',
      'dropout',
      'ponder_costs',
    ],
  },
  { title: 'Data', names: ['datasets', 'difficulty', 'own_share', 'rehearsal'] },
  {
    title: 'Measurement and output',
    names: [
      'eval_interval',
      'eval_problems',
      'checkpoint_interval',
      'precision',
      'device',
      'formats',
      'session_id',
      'creation_baseline',
    ],
  },
];
