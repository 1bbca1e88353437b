import type { Client } from '../../../openapi/client.js';
import type { components, paths } from '../../../openapi/gateway.js';

export type S = components['schemas'];
export type Run = S['Run'];
export type Api = Client<paths>;

/** The socket's messages, by direction. */
export type ServerToClient = {
  event: (message: S['EventMessage']) => void;
  progress: (message: S['ProgressMessage']) => void;
  reset: (message: S['ResetMessage']) => void;
  status: (message: S['StatusMessage']) => void;
};

export type ClientToServer = {
  subscribe: (request: S['SubscribeRequest'], ack: (answer: S['SubscribeAck']) => void) => void;
};

export function hasEnded({ status }: Run): boolean {
  return status === 'succeeded' || status === 'failed' || status === 'cancelled';
}
