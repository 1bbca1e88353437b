import type { Candidate } from '../api/schema.ts';
import type { Tone } from '../shell/mark.tsx';

interface RoleText {
  tone: Tone;
  /** One line for those who meet the word here for the first time. */
  meaning: string;
}

export const ROLES: Record<Candidate['role'], RoleText> = {
  seed: {
    tone: 'idle',
    meaning: 'Seed: one of the candidates that the search begins with, made from the parents.',
  },
  winner: {
    tone: 'good',
    meaning: 'Winner: a mutation of one of the two best candidates so far.',
  },
  chaos: {
    tone: 'warn',
    meaning:
      'Chaos: a merge of three of the six worst candidates of the generation before, with a method drawn by chance.',
  },
  reseed: {
    tone: 'info',
    meaning: 'Reseed: made from the parents again, because the generation before had become too uniform.',
  },
  polished: {
    tone: 'polish',
    meaning: 'Polished: the champion so far, its weights improved by gradient on training problems.',
  },
  asked: {
    tone: 'info',
    meaning: 'Asked: proposed by the optimizer from the fitness of all candidates before it.',
  },
};
