import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The address cannot be listened on; the message names the setting to change. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}

/** Rejects with a ListenError where the port or the address cannot be had. */
export function listen(http: Server, port: number, host: string): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException) =>
      reject(new ListenError(reasonOf(cause, port, host), { cause }));
    http.once('error', failed);
    http.listen(port, host, () => {
      http.off('error', failed);
      resolve(http.address() as AddressInfo);
    });
  });
}

function reasonOf({ code, message }: NodeJS.ErrnoException, port: number, host: string): string {
  switch (code) {
    case 'EADDRINUSE':
      return `PORT: another process listens on ${host}:${port}. Stop it, or set PORT to another port (0 takes any free one).`;
    case 'EACCES':
      return `PORT: this user may not listen on ${host}:${port}. Set PORT to one above 1023.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `HOST: ${host} is no address of this machine. Set HOST to one, e.g. 127.0.0.1.`;
    default:
      return `HOST, PORT: cannot listen on ${host}:${port}: ${message}`;
  }
}
