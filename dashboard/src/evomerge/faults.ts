import type { Candidate } from '../api/schema.ts';

type Fault = NonNullable<Candidate['fault']>;

/** What kept a model from having scores, in plain words; the fault's own message says where. */
export const FAULTS: Record<Fault['kind'], string> = {
  merge_not_finite: 'Its weights overflowed in the merge.',
  merge_refused: 'The merge method cannot merge these inputs.',
  output_not_finite: 'Its outputs are not finite numbers.',
  loss_not_finite: 'Its loss is not a finite number.',
  measurement_failed: 'Its evaluation broke off.',
};

export const FAULT_KINDS = Object.keys(FAULTS) as Fault['kind'][];

export const measured = ({ fault }: { fault?: Fault | null }): boolean => !fault;
