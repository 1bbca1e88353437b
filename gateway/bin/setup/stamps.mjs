import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
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
    if (!statSync(absolute).isDirectory()) {
      hash.update(`${path}\0`).update(readFileSync(absolute)).update('\0');
      return;
    }
    for (const entry of readdirSync(absolute).sort()) if (!IGNORED.has(entry)) visit(join(path, entry));
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
