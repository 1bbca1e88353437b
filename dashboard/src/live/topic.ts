import type { components } from '../../../openapi/gateway.d.ts';

type S = components['schemas'];

export type Topic = 'runs' | 'models' | `run:${string}`;
export type RunList = S['RunsSnapshot'];
export type ModelList = S['ModelsSnapshot'];
export type RunView = S['RunSnapshot'];
export type Snapshot = S['Snapshot'];
export type StatusMessage = S['StatusMessage'];

export interface ServerToClient {
  event: (message: S['EventMessage']) => void;
  progress: (message: S['ProgressMessage']) => void;
  reset: (message: S['ResetMessage']) => void;
  status: (message: StatusMessage) => void;
}

export interface ClientToServer {
  subscribe: (request: S['SubscribeRequest'], ack: (answer: S['SubscribeAck']) => void) => void;
  unsubscribe: (request: S['UnsubscribeRequest'], ack: (answer: S['UnsubscribeAck']) => void) => void;
}

/** Where a topic's folded state lives in the query cache. */
export const topicKey = (topic: Topic) => ['topic', topic] as const;
