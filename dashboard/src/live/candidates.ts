import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { candidate, generationCandidates } from '../api/queries.ts';
import type { Candidate } from '../api/schema.ts';
import type { RunView } from './topic.ts';

type Candidates = Pick<RunView, 'run' | 'candidates' | 'candidate_count'>;

/** The candidates of one generation by slot: from events, or from REST where the generation lies further back than these. */
export function useGeneration(view: Candidates, generation: number) {
  const { run, candidates, candidate_count } = view;
  // Where earlier ones are not here, the first generation that is may be here in part.
  const first = candidates[0]?.generation ?? 0;
  const here = candidates.length === candidate_count || generation > first;
  const asked = useQuery({ ...generationCandidates(run.id, generation), enabled: !here });
  const told = useMemo(
    () => candidates.filter((each) => each.generation === generation).sort((a, b) => a.slot - b.slot),
    [candidates, generation],
  );
  return here ? { candidates: told, error: null } : { candidates: asked.data, error: asked.error };
}

/** One candidate, wherever it lies; undefined while it is asked for. */
export function useCandidate({ candidates }: Candidates, id: string | null): Candidate | undefined {
  const told = useMemo(() => candidates.find((each) => each.id === id), [candidates, id]);
  const asked = useQuery({ ...candidate(id ?? ''), enabled: id !== null && told === undefined });
  return told ?? asked.data;
}
