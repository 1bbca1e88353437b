import type { Event, LiveEvent } from '../../../openapi/backend.js';

/** What a program can subscribe to. `runs`: states of all runs; `models`: the registry; `run:<id>`: all of one run. */
export type Topic = 'runs' | 'models' | `run:${string}`;

export function isTopic(text: string): text is Topic {
  return text === 'runs' || text === 'models' || (text.startsWith('run:') && text.length > 4);
}

/** Id of the run that a topic is about; null for the other topics. */
export function runOf(topic: Topic): string | null {
  return topic.startsWith('run:') ? topic.slice(4) : null;
}

/** By types of events. Log lines go to their run alone, although their type begins with `run.`. */
export const topicTypes: Record<'runs' | 'models', { startsWith: string; not?: string }> = {
  runs: { startsWith: 'run.', not: 'run.log' },
  models: { startsWith: 'model.' },
};

/** The topics that an event belongs to. */
export function topicsOf(event: Event | LiveEvent): Topic[] {
  const topics: Topic[] = event.run_id === null ? [] : [`run:${event.run_id}`];
  for (const topic of ['runs', 'models'] as const) {
    const { startsWith, not } = topicTypes[topic];
    if (event.type.startsWith(startsWith) && event.type !== not) topics.push(topic);
  }
  return topics;
}
