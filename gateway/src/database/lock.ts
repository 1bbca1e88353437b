import { link, open, readFile, rename, rm } from 'node:fs/promises';

/**
 * Takes a lock file for this process; resolves with its release. Two processes on one embedded database would
 * silently lose rows. A lock whose process is gone is taken over.
 * Throws where another live process holds it.
 */
export async function takeLock(path: string): Promise<() => Promise<void>> {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const handle = await open(path, 'wx', 0o600);
      await handle.writeFile(JSON.stringify(await identity(process.pid)));
      await handle.close();
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = await readHolder(path);
    if (holder && (await isAlive(holder))) {
      throw new Error(`the database is in use by process ${holder.pid} (${path}); stop it first`);
    }
    await discard(path, holder);
  }
  throw new Error(`cannot take the lock ${path}: others keep taking it`);
}

/** Removes a dead process's lock, and puts back what turns out to be someone's newer one. */
async function discard(path: string, dead: Holder | null): Promise<void> {
  const aside = `${path}.${process.pid}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const moved = await readHolder(aside);
  if (moved?.pid !== dead?.pid || moved?.started !== dead?.started)
    await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

type Holder = { pid: number; started: string | null };

/** The start time distinguishes a process from a later one with the same number; null where there is no /proc. */
async function identity(pid: number): Promise<Holder> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  const started = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  return { pid, started };
}

async function readHolder(path: string): Promise<Holder | null> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Holder;
  } catch {
    // The file is half written, or gone by now: either way nobody holds the lock.
    return null;
  }
}

async function isAlive(holder: Holder): Promise<boolean> {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return (await identity(holder.pid)).started === holder.started;
}
