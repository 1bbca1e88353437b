import type { Candidate, EvoMergeSettings, Fitness } from '../api/schema.ts';
import { figure, percent } from '../format/number.ts';
import { Mark } from '../shell/mark.tsx';
import { type Slot, shortName } from './board.ts';
import classes from './candidate-card.module.css';
import { contributions } from './contributions.ts';
import { FAULTS, faultText } from './faults.ts';
import { PartialMark } from './partial-mark.tsx';
import { RoleMark } from './role-mark.tsx';

interface CandidateCardProps {
  candidate: Candidate;
  /** In its generation, from 1; null until that is complete. */
  rank: number | null;
  ranked: number;
  isChampion: boolean;
  weights: EvoMergeSettings['fitness'];
  onOpen: (candidate: string) => void;
}

export function CandidateCard({ candidate, rank, ranked, isChampion, weights, onOpen }: CandidateCardProps) {
  const { id, fitness, fault, op, role, parents } = candidate;
  return (
    <article
      className={classes.card}
      data-champion={isChampion || undefined}
      data-fault={fault?.kind}
      data-testid="candidate"
    >
      <span className={classes.head}>
        <span className={classes.name}>{shortName(id)}</span>
        {rank !== null && (
          <span className={classes.rank}>
            #{rank} of {ranked}
          </span>
        )}
      </span>
      {/* it covers the card: a click anywhere opens the candidate */}
      <button
        type="button"
        className={classes.open}
        onClick={() => onOpen(id)}
        aria-label={`${op}, candidate ${shortName(id)}`}
      >
        {op}
      </button>
      <span className={classes.marks}>
        <RoleMark role={role} />
        {isChampion && <Mark tone="ember">champion</Mark>}
        {fault && <Mark tone="bad">no scores</Mark>}
        {fitness.partial && <PartialMark fitness={fitness} />}
        {candidate.cached && <Mark tone="idle">same bytes as before</Mark>}
      </span>
      {fault ? (
        <span className={classes.fault}>
          <b>{FAULTS[fault.kind]}</b>
          <span>{faultText(fault)}</span>
        </span>
      ) : (
        <>
          <span className={classes.total} data-partial={fitness.partial || undefined}>
            {fitness.partial && '≈ '}
            {figure(fitness.total)}
          </span>
          <FitnessBar fitness={fitness} weights={weights} />
          <span className={classes.figures}>
            <span>accuracy {percent(fitness.accuracy, 1)}</span>
            <span>depth {fitness.mean_depth?.toFixed(2) ?? '–'}</span>
          </span>
        </>
      )}
      <span className={classes.parents}>from {parentNames(parents)}</span>
    </article>
  );
}

const EMPTY: Record<Exclude<Slot['state'], 'evaluated'>, string> = {
  'in progress': 'being merged and evaluated',
  'not yet': 'not yet made',
  never: 'never made: the run ended before',
};

/** Holds the place of a candidate that is not there, and says why. */
export function EmptyCard({ slot, generation }: { slot: Slot; generation: number }) {
  if (slot.state === 'evaluated') return null;
  return (
    <article className={classes.card} data-empty={slot.state} data-testid="slot">
      <span className={classes.head}>
        <span className={classes.name}>
          g{generation}.s{slot.index}
        </span>
      </span>
      <span className={classes.absent}>{EMPTY[slot.state]}</span>
    </article>
  );
}

function FitnessBar({ fitness, weights }: { fitness: Fitness; weights: EvoMergeSettings['fitness'] }) {
  const parts = contributions(fitness, weights);
  return (
    <span className={classes.bar} data-partial={fitness.partial || undefined} aria-hidden>
      {parts.map(({ name, part }, index) => (
        <i
          key={name}
          style={{ width: `${Math.min(1, part ?? 0) * 100}%`, background: `var(--series-${index + 1})` }}
        />
      ))}
    </span>
  );
}

/** Candidates by generation and slot, `g4.s2`; models by their number. */
function parentNames(parents: readonly string[]): string {
  const names = parents.map(shortName);
  return names.every((name, index) => name !== parents[index])
    ? names.join(', ')
    : parents.length === 1
      ? '1 model'
      : `${parents.length} models`;
}
