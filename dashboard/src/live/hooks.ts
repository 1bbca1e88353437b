import { skipToken, useQuery } from '@tanstack/react-query';
import { createContext, useContext, useEffect } from 'react';
import { runsSummary } from '../api/queries.ts';
import type { Model, Problem, Progress, Run, RunsSummary } from '../api/schema.ts';
import { type Connection, type Health, healthOf } from './health.ts';
import type { Live } from './live.ts';
import { useObservable } from './observable.ts';
import type { RunPulse } from './progress.ts';
import { type ModelList, type RunList, type RunView, type Snapshot, type Topic, topicKey } from './topic.ts';

export const LiveContext = createContext<Live | null>(null);

function useLive(): Live {
  const live = useContext(LiveContext);
  if (!live) throw new Error('useLive outside of LiveContext');
  return live;
}

function useTopic<T extends Snapshot>(topic: Topic): T | undefined {
  const live = useLive();
  useEffect(() => live.watch(topic), [live, topic]);
  return useQuery<T>({ queryKey: topicKey(topic), queryFn: skipToken, staleTime: Number.POSITIVE_INFINITY })
    .data;
}

/** The newest runs, newest first; undefined until the gateway has answered. */
export const useRuns = (): readonly Run[] | undefined => useTopic<RunList>('runs')?.items;

/** What is true of all runs, also of those that are not among the newest; undefined until the gateway has answered. */
export function useSummary(): RunsSummary | undefined {
  const live = useLive();
  // Its events say when the summary has changed.
  useEffect(() => live.watch('runs'), [live]);
  return useQuery(runsSummary).data;
}

/** The newest models, newest first; undefined until the gateway has answered. */
export const useModels = (): readonly Model[] | undefined => useTopic<ModelList>('models')?.items;

export function useRun(id: string): { view: RunView | undefined; problem: Problem | null } {
  const topic: Topic = `run:${id}`;
  const view = useTopic<RunView>(topic);
  return { view, problem: useObservable(useLive().problem(topic)) };
}

export const usePulse = (runId: string): RunPulse => useObservable(useLive().pulses.of(runId));

/** The newest progress that the backend reported, whichever way it came first. */
export function useProgress(run: Run): Progress {
  const live = usePulse(run.id).progress;
  return run.status === 'running' && live && live.time >= run.updated_at ? live.value : run.progress;
}

export const useConnection = (): Connection => useObservable(useLive().connection);

export const useHealth = (): Health => healthOf(useConnection());
