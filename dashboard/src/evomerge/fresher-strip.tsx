import { figure } from '../format/number.ts';
import { Explained } from '../shell/explained.tsx';
import type { Step } from './comparison.ts';
import classes from './fresher-strip.module.css';

const MEANING =
  'The best of many measured fitnesses is too high, since luck helped to choose it. Problems that the search has not seen show what is left. These may be harder or easier, too: by how much, the best parent shows, which nothing chose.';

/** The champion's fitness on problems that say ever more; nothing where there is only one. */
export function FresherStrip({ steps }: { steps: readonly Step[] }) {
  if (steps.length === 0) return null;
  return (
    <div className={classes.strip}>
      <Explained meaning={MEANING}>
        <span className={classes.title}>The champion’s fitness</span>
      </Explained>
      <ol className={classes.steps} data-testid="fresher">
        {steps.map(({ problems, total, notes }) => (
          <li key={problems}>
            <span>{problems}</span>
            <b>{figure(total)}</b>
            <span>
              {notes.map((note) => (
                <span key={note}>{note}</span>
              ))}
            </span>
          </li>
        ))}
      </ol>
    </div>
  );
}
