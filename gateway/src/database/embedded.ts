/** PostgreSQL as WebAssembly, behind a socket on loopback so that the same adapter serves both databases. */
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';
import { takeLock } from './lock.js';

const RUNTIME = 'agent-forge-socket-';

export type Embedded = {
  /** Folder of the Unix socket, as `pg` takes it for a host. */
  host: string;
  port: number;
  close(): Promise<void>;
};

/**
 * Opens the database kept in `folder` (null: in memory). Nothing is synced to disk, so a power failure may lose it:
 * it holds nothing that the backend does not.
 */
export async function openEmbedded(
  folder: string | null,
  onSetAside: (folder: string, error: unknown) => void = () => undefined,
): Promise<Embedded> {
  if (folder) await mkdir(folder, { recursive: true, mode: 0o700 });
  const release = folder ? await takeLock(`${folder}.lock`) : async () => undefined;
  let runtime: string | undefined;
  try {
    const db = await create(folder).catch((error: unknown) => setAside(folder, error, onSetAside));
    // A socket's path above 100 characters would be cut silently; only this user may enter the folder.
    await discardRuntimes();
    runtime = await mkdtemp(join(tmpdir(), `${RUNTIME}${process.pid}-`));
    await chmod(runtime, 0o700);
    const path = join(runtime, '.s.PGSQL.5432');
    const server = new PGLiteSocketServer({ db, path, maxConnections: 4 });
    await server.start();
    const directory = runtime;
    return {
      host: directory,
      port: 5432,
      close: async () => {
        await server.stop();
        await db.close();
        await rm(directory, { recursive: true, force: true });
        await release();
      },
    };
  } catch (error) {
    if (runtime) await rm(runtime, { recursive: true, force: true });
    await release();
    throw error;
  }
}

function create(folder: string | null): Promise<PGlite> {
  return PGlite.create({
    ...(folder ? { dataDir: folder } : {}),
    startParams: [...PGlite.defaultStartParams, '-c', 'shared_buffers=16MB'],
  });
}

/**
 * Moves a database that does not open to `<folder>.damaged-<time>`, and makes an empty one: it holds nothing that the
 * backend does not. Where an empty one does not open either (a full disk), the old one is put back.
 */
async function setAside(
  folder: string | null,
  error: unknown,
  tell: (folder: string, error: unknown) => void,
): Promise<PGlite> {
  if (!folder || (await readdir(folder)).length === 0) throw error;
  const aside = `${folder}.damaged-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`;
  await rename(folder, aside);
  try {
    await mkdir(folder, { mode: 0o700 });
    const db = await create(folder);
    tell(aside, error);
    return db;
  } catch {
    await rm(folder, { recursive: true, force: true });
    await rename(aside, folder);
    throw error;
  }
}

/** Removes the socket folders of processes that were killed before they could. */
async function discardRuntimes(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = name.startsWith(RUNTIME) ? Number.parseInt(name.slice(RUNTIME.length), 10) : Number.NaN;
    // A folder of another user, or one that another process is just removing, is not ours to clean.
    if (pid > 0 && !exists(pid)) await rm(join(tmpdir(), name), { recursive: true }).catch(() => undefined);
  }
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
