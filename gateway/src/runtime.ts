/** A small file that tells other programs of this user where the gateway runs. */
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const RUNTIME_FILE = 'gateway.json';

export type Runtime = { url: string; pid: number };

export async function rememberRuntime(directory: string, runtime: Runtime): Promise<void> {
  const path = join(directory, RUNTIME_FILE);
  await writeFile(`${path}.new`, `${JSON.stringify(runtime)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

export async function forgetRuntime(directory: string): Promise<void> {
  await rm(join(directory, RUNTIME_FILE), { force: true });
}
