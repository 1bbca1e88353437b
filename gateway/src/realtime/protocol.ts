/** What travels over a socket, as the contract types it; and the cursor's text. */
import type { Server, Socket } from 'socket.io';
import type {
  EventMessage,
  ProgressMessage,
  ResetMessage,
  StatusMessage,
  SubscribeAck,
  SubscribeRequest,
  UnsubscribeAck,
  UnsubscribeRequest,
} from '../../../openapi/gateway.js';

export type ClientEvents = {
  subscribe(request: SubscribeRequest, ack: (answer: SubscribeAck) => void): void;
  unsubscribe(request: UnsubscribeRequest, ack: (answer: UnsubscribeAck) => void): void;
};
export type ServerEvents = {
  event(message: EventMessage): void;
  progress(message: ProgressMessage): void;
  reset(message: ResetMessage): void;
  status(message: StatusMessage): void;
};
type BetweenServers = Record<never, never>;
type SocketData = Record<never, never>;

export type RealtimeServer = Server<ClientEvents, ServerEvents, BetweenServers, SocketData>;
export type RealtimeSocket = Socket<ClientEvents, ServerEvents, BetweenServers, SocketData>;

export type Position = { epoch: string; seq: number };

export function formatCursor({ epoch, seq }: Position): string {
  return `${epoch}:${seq}`;
}

/** Undefined where the text is no cursor. */
export function parseCursor(text: string): Position | undefined {
  const match = /^([A-Za-z0-9_-]{1,64}):(\d{1,16})$/.exec(text);
  if (match?.[1] === undefined) return undefined;
  const seq = Number(match[2]);
  return Number.isSafeInteger(seq) ? { epoch: match[1], seq } : undefined;
}
