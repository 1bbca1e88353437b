import type { Candidate } from '../api/schema.ts';

type Fault = NonNullable<Candidate['fault']>;

/** What kept a model from having scores, in plain words; the fault's own message says where. */
export const FAULTS: Record<Fault['kind'], string> = {
  merge_not_finite: 'Its weights overflowed in the merge.',
  merge_refused: 'The merge method cannot merge these inputs.',
  output_not_finite: 'Its outputs are not finite numbers.',
  loss_not_finite: 'Its loss is not a finite number.',
  measurement_failed: 'Its evaluation broke off.',
  task_lost: 'On a cluster, what worked on it ended three times.',
};

/** A fault's own message as a sentence of a page; where it begins with a method's name, that stays as it is written. */
export function faultText({ message }: Pick<Fault, 'message'>): string {
  const plain = message.replaceAll('`', '').replace(/\.$/, '');
  return `${plain.replace(/^[a-z](?=[a-z]* )/, (first) => first.toUpperCase())}.`;
}

export const FAULT_KINDS = Object.keys(FAULTS) as Fault['kind'][];

export const measured = ({ fault }: { fault?: Fault | null }): boolean => !fault;
