import type { Candidate, Generation } from '../api/schema.ts';

/** One of a generation's places, which stay where they are while candidates come in. */
export interface Slot {
  index: number;
  /** Null until it is evaluated. */
  candidate: Candidate | null;
  state: 'evaluated' | 'in progress' | 'not yet' | 'never';
}

/**
 * All slots of a generation, filled or not. Candidates come in the order of their slots, so the first one missing is the
 * one at work.
 *
 * @param state of the slots that are empty: being filled, waiting for the run to go on, or left empty by its end
 */
export function slotsOf(
  candidates: readonly Candidate[],
  generation: number,
  population: number,
  state: 'filling' | 'waiting' | 'ended',
): Slot[] {
  const here = candidates.filter((candidate) => candidate.generation === generation);
  const bySlot = new Map(here.map((candidate) => [candidate.slot, candidate]));
  const size = here.reduce((most, { slot }) => Math.max(most, slot + 1), population);
  let first = true;
  return Array.from({ length: size }, (_, index) => {
    const candidate = bySlot.get(index) ?? null;
    if (candidate) return { index, candidate, state: 'evaluated' };
    if (state === 'ended') return { index, candidate, state: 'never' };
    const next = state === 'filling' && first;
    first = false;
    return { index, candidate, state: next ? 'in progress' : 'not yet' };
  });
}

export interface Position {
  /** The newest complete generation; null before the first is. */
  complete: number | null;
  /** The one being filled; null where none is, or none will be. */
  filling: number | null;
  /** The newest generation that can be shown. */
  newest: number;
}

/** Where a run is among its generations, which count from 0 as everywhere. */
export function positionOf(
  candidates: readonly Candidate[],
  generations: readonly Generation[],
  planned: number,
  bred: boolean,
): Position {
  const complete = generations.reduce((most, { index }) => Math.max(most, index), -1);
  const begun = candidates.reduce((most, { generation }) => Math.max(most, generation), -1);
  const next = Math.max(begun, complete + 1);
  const filling = bred || next >= planned ? null : next;
  return {
    complete: complete < 0 ? null : complete,
    filling,
    newest: Math.max(0, complete, begun, filling ?? 0),
  };
}

/** What a candidate is called wherever it is named: `g45.s2`, as its id ends. Other ids stay what they are. */
export function shortName(id: string): string {
  return /\.(g\d+\.s\d+)$/.exec(id)?.[1] ?? id;
}

/** From 1; null where the generation is not complete, or did not rank it. */
export function rankOf(id: string, generation: Generation | undefined): number | null {
  const at = generation?.ranked.indexOf(id) ?? -1;
  return at < 0 ? null : at + 1;
}
