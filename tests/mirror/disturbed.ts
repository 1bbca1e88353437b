/** A proxy before the real backend that drops, doubles and reorders server-sent events and cuts connections. */
import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Fault = 'none' | 'drop' | 'double' | 'swap' | 'cut';

/** `faultOf` says what happens to the n-th durable event that passes; pages and all else go through untouched. */
export async function disturb(target: string, faultOf: (index: number) => Fault) {
  let passed = 0;
  const server: Server = createServer((incoming, outgoing) => {
    const upstream = httpRequest(
      new URL(incoming.url ?? '/', target),
      { method: incoming.method, headers: { ...incoming.headers, host: new URL(target).host } },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        if (!incoming.url?.startsWith('/v1/events/stream')) {
          answer.pipe(outgoing);
          return;
        }
        let rest = '';
        let held = '';
        answer.setEncoding('utf8').on('data', (text: string) => {
          const frames = (rest + text).split('\n\n');
          rest = frames.pop() ?? '';
          for (const body of frames) {
            const frame = `${body}\n\n`;
            const fault = body.includes('event: durable') ? faultOf(passed++) : 'none';
            if (fault === 'drop') continue;
            if (fault === 'cut') {
              outgoing.write(frame.slice(0, frame.length / 2), () => outgoing.destroy());
              return;
            }
            if (fault === 'swap') {
              held += frame;
              continue;
            }
            outgoing.write(frame + (fault === 'double' ? frame : '') + held);
            held = '';
          }
        });
        answer.on('end', () => outgoing.end());
        outgoing.on('close', () => answer.destroy());
      },
    );
    upstream.on('error', () => outgoing.destroy());
    incoming.pipe(upstream);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    seen: () => passed,
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
