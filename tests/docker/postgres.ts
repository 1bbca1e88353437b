/** A PostgreSQL server of its own for a test, where the machine has one's programs. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from './port.js';

const DEBIAN = '/usr/lib/postgresql';

export type Server = { url: string; stop(): Promise<void> };

/** Null where no `initdb` is found: then the embedded database is what there is. */
export async function startPostgres(
  directory: string,
  user: { uid?: number; gid?: number },
): Promise<Server | null> {
  const programs = folders().find((folder) => existsSync(join(folder, 'initdb')));
  if (programs === undefined) return null;
  const data = join(directory, 'postgres');
  mkdirSync(data, { mode: 0o700 });
  if (user.uid !== undefined && user.gid !== undefined) chownSync(data, user.uid, user.gid);
  const password = ['--auth', 'trust', '--username', 'forge', '--no-sync', '--encoding', 'UTF8'];
  execFileSync(join(programs, 'initdb'), ['--pgdata', data, ...password], {
    ...user,
    cwd: data,
    stdio: 'ignore',
  });
  const port = await freePort();
  const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off'];
  const child = spawn(
    join(programs, 'postgres'),
    ['-D', data, '-p', String(port), ...settings.flatMap((each) => ['-c', each])],
    { ...user, cwd: data, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const closed = once(child, 'close');
  const url = `postgresql://forge@127.0.0.1:${port}/postgres`;
  while (!(await answers(url))) {
    if (child.exitCode !== null) throw new Error(`PostgreSQL ended with ${child.exitCode}:\n${log}`);
    await delay(100);
  }
  return {
    url,
    async stop() {
      child.kill('SIGINT');
      await closed;
    },
  };
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end();
  }
}

/** Debian keeps the server's programs out of the PATH. */
function folders(): string[] {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort() : [];
  return [
    ...(process.env.PATH ?? '').split(delimiter),
    ...versions.map((version) => join(DEBIAN, version, 'bin')),
  ];
}
