import type { StatusMessage } from './topic.ts';

/** What the page knows of where its figures come from. */
export interface Connection {
  socket: 'connecting' | 'open' | 'lost' | 'refused';
  /** When the socket came to this state, milliseconds. */
  since: number;
  /** The last status that the gateway sent; null before the first. */
  gateway: StatusMessage | null;
  /** When anything at all last came from the gateway, milliseconds; null before the first. */
  heardAt: number | null;
}

export type Health =
  | { kind: 'connecting' }
  | { kind: 'live' }
  | { kind: 'backend_starting'; lastData: string | number | null }
  | { kind: 'backend_away'; lastData: string | number | null }
  | { kind: 'gateway_away'; lastData: string | number | null }
  | { kind: 'refused' };

export function healthOf({ socket, gateway, heardAt }: Connection): Health {
  if (socket === 'refused') return { kind: 'refused' };
  if (socket === 'lost') return { kind: 'gateway_away', lastData: heardAt };
  if (socket === 'connecting' || gateway === null) return { kind: 'connecting' };
  const lastData = gateway.stale_since ?? gateway.mirror.last_event_at;
  if (gateway.backend_state === 'starting') return { kind: 'backend_starting', lastData };
  if (gateway.backend_state === 'down' || gateway.stale_since !== null)
    return { kind: 'backend_away', lastData };
  return { kind: 'live' };
}
