/** Bounds on connections that have not shown a token yet: anybody who reaches the port can open them. */
import type { IncomingMessage } from 'node:http';

export type AdmissionLimits = {
  /** Open at once from one address. A browser has one for each tab until its token has come. */
  perAddress: number;
  /** Open at once, of all addresses. */
  inAll: number;
};

const ADMISSION: AdmissionLimits = { perAddress: 1024, inAll: 4096 };

export type Admission = {
  /** Whether one more from this address may be opened now. */
  admits(address: string): boolean;
  /** Counts it until it has shown a token or is closed; `done` may be called again. */
  opened(address: string): { done(): void };
  waiting(): number;
};

export function createAdmission({ perAddress, inAll }: AdmissionLimits = ADMISSION): Admission {
  const waiting = new Map<string, number>();
  let all = 0;
  const change = (address: string, by: 1 | -1) => {
    const count = (waiting.get(address) ?? 0) + by;
    if (count === 0) waiting.delete(address);
    else waiting.set(address, count);
    all += by;
  };
  return {
    admits: (address) => all < inAll && (waiting.get(address) ?? 0) < perAddress,
    opened(address) {
      change(address, 1);
      let open = true;
      return {
        done() {
          if (open) change(address, -1);
          open = false;
        },
      };
    },
    waiting: () => all,
  };
}

/** Where a request came from, as express sees it: behind one trusted proxy, the address that the proxy names. */
export function addressOf({ headers, socket }: IncomingMessage, trustProxy: boolean): string {
  const forwarded = headers['x-forwarded-for'];
  const nearest = String(forwarded ?? '')
    .split(',')
    .at(-1)
    ?.trim();
  return (trustProxy && nearest) || (socket.remoteAddress ?? '');
}
