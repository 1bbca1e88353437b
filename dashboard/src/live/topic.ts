import type { components } from '../../../openapi/gateway.d.ts';

type S = components['schemas'];

export type Topic = 'runs' | 'models' | `run:${string}`;
export type RunList = S['RunsSnapshot'];
export type ModelList = S['ModelsSnapshot'];
export type RunView = S['RunSnapshot'];
export type Snapshot = S['Snapshot'];
export type StatusMessage = S['StatusMessage'];

/** Where a topic's folded state lives in the query cache. */
export const topicKey = (topic: Topic) => ['topic', topic] as const;
