import type { Server, Socket } from 'socket.io';
import type { ClientEvents, ServerEvents } from '../../../openapi/realtime.js';

type BetweenServers = Record<never, never>;
type SocketData = Record<never, never>;

export type RealtimeServer = Server<ClientEvents, ServerEvents, BetweenServers, SocketData>;
export type RealtimeSocket = Socket<ClientEvents, ServerEvents, BetweenServers, SocketData>;
