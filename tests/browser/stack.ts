/** The whole product as `npm start` runs it, on a free port and on data of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { type Client, createClient } from '../../openapi/client.js';
import type { paths } from '../../openapi/gateway.js';

const ROOT = resolve(import.meta.dirname, '../..');

export interface Stack {
  url: string;
  token: string;
  api: Client<paths>;
  stop(): Promise<void>;
}

export async function startStack(): Promise<Stack> {
  const data = await mkdtemp(join(tmpdir(), 'forge-browser-'));
  const gateway = spawn(process.execPath, [join(ROOT, 'gateway/dist/gateway/src/main.js')], {
    cwd: ROOT,
    env: { ...process.env, DATA_DIR: data, PORT: '0', LOG_LEVEL: 'warn' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { url, token } = await ready(gateway);
  return {
    url,
    token,
    api: createClient<paths>({ baseUrl: url, token }),
    async stop() {
      if (gateway.exitCode === null) {
        const closed = once(gateway, 'close');
        gateway.kill('SIGTERM');
        await closed;
      }
      await rm(data, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** The address that the gateway prints, or the end of its log where it ends before. */
async function ready(gateway: ChildProcess): Promise<{ url: string; token: string }> {
  if (!gateway.stdout || !gateway.stderr) throw new Error('the gateway has no pipes');
  let log = '';
  gateway.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-4000);
  });
  return new Promise((found, failed) => {
    createInterface({ input: gateway.stdout as NonNullable<ChildProcess['stdout']> }).on('line', (line) => {
      const [, url, token] = /(http:\/\/\S+)\/#token=(\S+)/.exec(line) ?? [];
      if (url && token) found({ url, token });
    });
    gateway.once('close', (code) => failed(new Error(`the gateway ended with ${code}:\n${log}`)));
  });
}
