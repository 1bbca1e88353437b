/** What a build would be sent: the files of the checkout without those that .dockerignore names. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join, matchesGlob } from 'node:path';
import { root } from '../../gateway/src/root.js';

/** Tracked, or new and not ignored: what the next commit would hold. */
export function contextFiles(): string[] {
  const list = ['ls-files', '--cached', '--others', '--exclude-standard', '--deduplicate', '-z'];
  const gone = new Set(listed(['ls-files', '--deleted', '-z']));
  const patterns = readFileSync(join(root, '.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'));
  return listed(list).filter((file) => !gone.has(file) && !patterns.some((each) => covers(each, file)));
}

export function copyContext(directory: string): void {
  for (const file of contextFiles()) {
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    cpSync(join(root, file), join(directory, file));
  }
}

function listed(args: string[]): string[] {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean);
}

/** A pattern names a file, or a folder with all that is in it. */
function covers(pattern: string, file: string): boolean {
  const parts = file.split('/');
  return parts.some((_, index) => matchesGlob(parts.slice(0, index + 1).join('/'), pattern));
}
