import type { Candidate } from '../api/schema.ts';
import { figure } from '../format/number.ts';
import { type Slot, shortName } from './board.ts';
import classes from './next-generation.module.css';

interface NextGenerationProps {
  index: number;
  slots: readonly Slot[];
  onOpen: (candidate: string) => void;
}

const EMPTY: Record<Exclude<Slot['state'], 'evaluated'>, string> = {
  'in progress': 'at work',
  'not yet': 'not yet',
  never: 'never made',
};

const scoreText = ({ fault, fitness }: Candidate): string =>
  fault ? 'no scores' : `${fitness.partial ? '≈\u00a0' : ''}${figure(fitness.total)}`;

/** The generation that is being filled, one line above the last complete one, which stays in sight until it is. */
export function NextGeneration({ index, slots, onOpen }: NextGenerationProps) {
  const done = slots.filter(({ candidate }) => candidate !== null).length;
  return (
    <section className={classes.next} aria-label={`Generation ${index}, being filled`} data-testid="next">
      <h3 className={classes.title}>
        Generation {index}: {done} of {slots.length} evaluated
      </h3>
      <ol className={classes.slots}>
        {slots.map(({ index: slot, state, candidate }) => (
          <li key={slot}>
            {candidate ? (
              <button
                type="button"
                className={classes.slot}
                data-fault={candidate.fault?.kind}
                onClick={() => onOpen(candidate.id)}
              >
                <span>{shortName(candidate.id)}</span>
                <b data-partial={candidate.fitness.partial || undefined}>{scoreText(candidate)}</b>
              </button>
            ) : (
              <div className={classes.slot} data-state={state}>
                <span>
                  g{index}.s{slot}
                </span>
                {state !== 'evaluated' && <span>{EMPTY[state]}</span>}
              </div>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}
