/** A TCP proxy that does to its connections what networks do: see `Fault`. */

import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';

export const FAULTS = ['delay', 'reset', 'half-open', 'cut', 'duplicate'] as const;
/**
 * What happens to the backend's answers on a connection. `delay`: each piece comes late. After some bytes, `reset`:
 * RST; `half-open`: nothing more comes, and nobody says so; `cut`: an orderly end in the middle of an answer;
 * `duplicate`: pieces of the event stream come twice (of anything else, TCP itself sees to it that none does).
 */
export type Fault = { kind: (typeof FAULTS)[number]; afterBytes: number; delayMs: number };

export async function startProxy(target: string) {
  const { hostname, port } = new URL(target);
  let next: (() => Fault) | null = null;
  let disturbed = 0;
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const fault = next?.() ?? null;
    const far = connect({ host: hostname, port: Number(port) });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    }
    near.on('error', () => far.destroy()).on('close', () => far.destroy());
    // What is half open is not closed either.
    far.on('error', () => near.destroy());
    near.pipe(far);
    if (fault === null) {
      far.pipe(near);
      return;
    }
    let passed = 0;
    let stream = false;
    let line = Promise.resolve();
    far.on('data', (chunk: Buffer) => {
      line = line.then(async () => {
        const room = fault.afterBytes - passed;
        passed += chunk.length;
        stream ||= chunk.includes('text/event-stream');
        if (fault.kind === 'delay') {
          disturbed++;
          await new Promise((done) => setTimeout(done, fault.delayMs));
          near.write(chunk);
        } else if (fault.kind === 'duplicate') {
          near.write(chunk);
          // Whole pieces of a chunked body, so that what is doubled is events and not framing.
          if (stream && /^[0-9a-f]+\r\n/.test(chunk.toString('latin1', 0, 10))) {
            disturbed++;
            near.write(chunk);
          }
        } else if (chunk.length < room) near.write(chunk);
        else if (room > 0) {
          disturbed++;
          near.write(chunk.subarray(0, room), () => {
            if (fault.kind === 'reset') near.resetAndDestroy();
            if (fault.kind === 'cut') near.end();
          });
        }
      });
    });
    far.on('end', () => {
      void line.then(() => {
        if (fault.kind !== 'half-open') near.end();
      });
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** From now on, for each new connection; open ones are ended, so that they come again. */
    disturb(faults: (() => Fault) | null): void {
      next = faults;
      for (const socket of sockets) socket.destroy();
    },
    disturbed: () => disturbed,
    async close(): Promise<void> {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}
