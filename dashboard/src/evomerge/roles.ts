import type { Candidate } from '../api/schema.ts';
import type { Tone } from '../shell/mark.tsx';

export const ROLE_TONES: Record<Candidate['role'], Tone> = {
  seed: 'idle',
  winner: 'good',
  chaos: 'warn',
  reseed: 'info',
  asked: 'info',
};
