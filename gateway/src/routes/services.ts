/** The port between HTTP and the rest: what the resources call. Wired in `main.ts`. */
import type { BackendReadiness } from '../../../openapi/backend.js';
import type { GatewayStatus } from '../../../openapi/gateway.js';
import type { BackendApi } from '../backend/api.js';
import type { Queries } from '../mirror/queries.js';
import type { Arrival } from './read-your-writes.js';
import type { Tickets } from './tickets.js';
import type { FileAsked } from './transfer.js';

export type Services = {
  backend: BackendApi;
  reads: Queries;
  /** Time since which the backend has not been heard of; null while it is heard. */
  staleSince(): string | null;
  status(): GatewayStatus;
  /** Rejects where the database does not answer. */
  checkDatabase(): Promise<void>;
  /** Whether the backend would work on a run that is started now; null where it does not answer. */
  backendReadiness(): Promise<BackendReadiness | null>;
  /** From the first signal to stop on. */
  stopping(): boolean;
  /** Waits for a change to be seen in `reads`. */
  arrival: Arrival;
  tickets: Tickets<FileAsked>;
  timeouts: { ordinary: number; long: number };
};
