/** Offers to change the protocol, RFC 9110, 7.8: but for sockets, a server may answer as if there were none. */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';

export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

export function isWebSocket(request: IncomingMessage): boolean {
  return request.headers.upgrade?.toLowerCase() === 'websocket';
}

/**
 * Answers the request as if it had offered nothing: `curl --http2` and Java's client offer `h2c` each time.
 * Node has left the connection by then, the body unread. So the head is written anew, without the offer, before what
 * has been read of the body, and the connection is handed to the server as one that has just been made.
 * (Node 24.9 has `shouldUpgradeCallback` for this.)
 */
export function answerWithoutUpgrade(http: Server): UpgradeHandler {
  return function answerWithoutUpgrade(request, socket, head) {
    if (socket.destroyed) return;
    socket.unshift(Buffer.concat([headWithoutOffer(request), head]));
    http.emit('connection', socket);
  };
}

function headWithoutOffer(request: IncomingMessage): Buffer {
  const { method, url, httpVersion, rawHeaders } = request;
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const value = rawHeaders[index + 1] ?? '';
    switch (name.toLowerCase()) {
      case 'upgrade':
      case 'http2-settings':
        break;
      case 'connection': {
        const kept = value.split(',').filter((option) => !/^\s*(upgrade|http2-settings)\s*$/i.test(option));
        if (kept.length > 0) lines.push(`${name}: ${kept.join(',')}`);
        break;
      }
      default:
        lines.push(`${name}: ${value}`);
    }
  }
  // A client whose WebSocket was refused does not go on in HTTP on this connection.
  if (isWebSocket(request)) lines.push('Connection: close');
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}
