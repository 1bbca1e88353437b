/** What a client of the socket and the gateway must agree on: its events, a cursor's text, when a run has ended. */
import type {
  EventMessage,
  ProgressMessage,
  ResetMessage,
  RunStatus,
  StatusMessage,
  SubscribeAck,
  SubscribeRequest,
  UnsubscribeAck,
  UnsubscribeRequest,
} from './gateway.js';

/** Sent by a client. */
export type ClientEvents = {
  subscribe(request: SubscribeRequest, ack: (answer: SubscribeAck) => void): void;
  unsubscribe(request: UnsubscribeRequest, ack: (answer: UnsubscribeAck) => void): void;
};

/** Sent by the gateway. */
export type ServerEvents = {
  event(message: EventMessage): void;
  progress(message: ProgressMessage): void;
  reset(message: ResetMessage): void;
  status(message: StatusMessage): void;
};

/** A place in the sequence of events. Numbers of different epochs cannot be compared. */
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

// A record rather than a list: a status that the contract adds does not compile until it is placed here.
const ENDED: Readonly<Record<RunStatus, boolean>> = {
  queued: false,
  running: false,
  pausing: false,
  paused: false,
  cancelling: false,
  interrupted: false,
  succeeded: true,
  failed: true,
  cancelled: true,
};

/** A run in such a status does no more work, unless somebody retries it. */
export function hasEnded(status: RunStatus): boolean {
  return ENDED[status];
}

export const RUN_STATUSES = Object.keys(ENDED) as RunStatus[];
export const ENDED_STATUSES: readonly RunStatus[] = RUN_STATUSES.filter(hasEnded);
