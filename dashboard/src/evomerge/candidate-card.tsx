import type { Candidate, EvoMergeSettings, Fitness } from '../api/schema.ts';
import { figure, percent } from '../format/number.ts';
import { Mark } from '../shell/mark.tsx';
import classes from './candidate-card.module.css';
import { contributions } from './contributions.ts';
import { ROLE_TONES } from './roles.ts';

interface CandidateCardProps {
  candidate: Candidate;
  /** Place in its generation; null until that is complete. */
  rank: number | null;
  isChampion: boolean;
  weights: EvoMergeSettings['fitness'];
  onOpen: () => void;
}

export function CandidateCard({ candidate, rank, isChampion, weights, onOpen }: CandidateCardProps) {
  const { fitness, op, role, slot, parents } = candidate;
  return (
    <button
      type="button"
      className={classes.card}
      data-champion={isChampion || undefined}
      onClick={onOpen}
      data-testid="candidate"
    >
      <span className={classes.head}>
        <span className={classes.slot}>{slot + 1}</span>
        <span className={classes.op}>{op}</span>
        {rank !== null && rank > 0 && <span className={classes.rank}>{ordinal(rank)}</span>}
      </span>
      <span className={classes.marks}>
        <Mark tone={ROLE_TONES[role]}>{role}</Mark>
        {isChampion && <Mark tone="ember">champion</Mark>}
        {candidate.fault && <Mark tone="bad">not measurable</Mark>}
        {candidate.cached && <Mark tone="idle">same bytes as before</Mark>}
      </span>
      <span className={classes.total}>{figure(fitness.total)}</span>
      <FitnessBar fitness={fitness} weights={weights} />
      <span className={classes.figures}>
        <span>accuracy {percent(fitness.accuracy)}</span>
        <span>depth {fitness.mean_depth?.toFixed(2) ?? '–'}</span>
      </span>
      <span className={classes.parents}>from {parentNames(parents)}</span>
    </button>
  );
}

export function FitnessBar({ fitness, weights }: { fitness: Fitness; weights: EvoMergeSettings['fitness'] }) {
  const parts = contributions(fitness, weights);
  return (
    <span className={classes.bar} aria-hidden>
      {parts.map(({ name, part }, index) => (
        <i
          key={name}
          style={{ width: `${Math.min(1, part ?? 0) * 100}%`, background: `var(--series-${index + 1})` }}
        />
      ))}
    </span>
  );
}

const ordinal = (rank: number): string =>
  `${rank}${rank === 1 ? 'st' : rank === 2 ? 'nd' : rank === 3 ? 'rd' : 'th'}`;

/** Candidates by generation and place, `g4·2`; models by their number. */
function parentNames(parents: readonly string[]): string {
  if (!parents.every((id) => CANDIDATE.test(id))) return `${parents.length} models`;
  return parents.map(shortName).join(', ');
}

/** The id of a candidate ends so. */
const CANDIDATE = /\.g(\d+)\.s(\d+)$/;

export function shortName(id: string): string {
  const found = CANDIDATE.exec(id);
  return found ? `g${found[1]}·${Number(found[2]) + 1}` : id;
}
