import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Absolute path of the checkout: the sources run from gateway/src, the build from gateway/dist/gateway/src. */
export const root = findRoot(dirname(fileURLToPath(import.meta.url)));

function findRoot(directory: string): string {
  if (existsSync(join(directory, 'package-lock.json'))) return directory;
  const parent = dirname(directory);
  if (parent === directory)
    throw new Error('the checkout is incomplete: no package-lock.json above the gateway');
  return findRoot(parent);
}
