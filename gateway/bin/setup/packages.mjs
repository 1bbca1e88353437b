import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** @typedef {{ version?: string, link?: boolean, optional?: boolean, devOptional?: boolean }} LockEntry */

/**
 * Whether node_modules holds what package-lock.json says, by npm's own record of what it installed.
 * Optional packages are other platforms' binaries: absent is right for them.
 * @param {string} root
 */
export function packagesInstalled(root) {
  const record = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(record)) return false;
  const wanted = readLock(join(root, 'package-lock.json'));
  const installed = readLock(record);
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '' || entry.link || !path.includes('node_modules/')) return true;
    if (entry.optional || entry.devOptional)
      return installed[path] === undefined || same(entry, installed[path]);
    return same(entry, installed[path]) && existsSync(join(root, path, 'package.json'));
  });
}

/** @param {LockEntry} wanted @param {LockEntry | undefined} found */
function same(wanted, found) {
  return wanted.version === found?.version;
}

/** @param {string} file @returns {Record<string, LockEntry>} */
function readLock(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages;
}
