import { hasEnded } from '../../../openapi/realtime.ts';
import type { Run, RunStatus } from '../api/schema.ts';

/** The run works or waits to work; nobody has to do anything. */
export const isActive = (status: RunStatus): boolean => !hasEnded(status) && status !== 'paused';

export type Command = 'pause' | 'resume' | 'cancel' | 'retry';

/** What the backend accepts in each state. */
export function commandsFor(status: RunStatus): readonly Command[] {
  switch (status) {
    case 'queued':
      return ['cancel'];
    case 'running':
      return ['pause', 'cancel'];
    case 'pausing':
    case 'interrupted':
      return ['cancel'];
    case 'paused':
      return ['resume', 'cancel'];
    case 'failed':
    case 'cancelled':
      return ['retry'];
    case 'cancelling':
    case 'succeeded':
      return [];
    default:
      status satisfies never;
      return [];
  }
}

/** The page that shows what a run is doing. */
export const liveHref = (run: Pick<Run, 'id' | 'kind'>): string => `/${run.kind}/${run.id}`;

export const KIND_NAMES: Record<Run['kind'], string> = {
  cognate: 'Cognate',
  evomerge: 'EvoMerge',
  merge: 'Merge',
};

/** Specializations and stages as words. */
export const stageName = (stage: string): string => {
  const words = stage.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
};
