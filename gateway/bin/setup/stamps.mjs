import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const IGNORED = new Set(['node_modules', 'dist', 'generated', '__pycache__']);

/**
 * SHA-256 over the names and contents of files and folders (recursive), and of plain strings.
 * @param {string} root
 * @param {string[]} paths relative to root; a missing one counts as absent
 * @param {string[]} [strings]
 */
export function fingerprint(root, paths, strings = []) {
  const hash = createHash('sha256');
  for (const text of strings) hash.update(`=${text}\0`);
  for (const path of paths) visit(path);
  return hash.digest('hex');

  /** @param {string} path */
  function visit(path) {
    const absolute = join(root, path);
    if (!existsSync(absolute)) return;
    const entries = readEntries(absolute);
    if (entries === null) {
      hash.update(`${path}\0`).update(readFileSync(absolute)).update('\0');
      return;
    }
    for (const entry of entries) if (!IGNORED.has(entry)) visit(join(path, entry));
  }
}

/** @param {string} path @returns {string[] | null} null for a file */
function readEntries(path) {
  try {
    return readdirSync(path).sort();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOTDIR') return null;
    throw error;
  }
}

/** The stamp lies in what it vouches for: whoever deletes the product deletes the stamp. @param {string} file @param {string} value */
export function isStamped(file, value) {
  return existsSync(file) && readFileSync(file, 'utf8') === value;
}

/** @param {string} file @param {string} value */
export function stamp(file, value) {
  writeFileSync(file, value);
}
