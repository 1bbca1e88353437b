import type { Fitness } from '../api/schema.ts';
import { Explained } from '../shell/explained.tsx';
import { Mark } from '../shell/mark.tsx';
import { partialText } from './partial.ts';

/** On a candidate that has seen fewer problems than the others. */
export function PartialMark({ fitness }: { fitness: Fitness }) {
  return (
    <Explained
      meaning={`${partialText(fitness)} The others’ fitness is over more problems, harder ones or easier, so that this one is less certain and does not compare with it.`}
    >
      <Mark tone="idle">stopped early</Mark>
    </Explained>
  );
}
