import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { root } from '../../gateway/src/root.js';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'backup-'));
  const program =
    'import sys; from pathlib import Path; from agent_forge.store.database import Database;' +
    'path = Path(sys.argv[1]); path.parent.mkdir(); database = Database(path); database.migrate(); database.close()';
  execFileSync(join(root, '.venv/bin/python'), ['-c', program, join(folder, 'backend', 'forge.db')]);
});
afterAll(() => rmSync(folder, { recursive: true }));

function npmRun(command: 'backup' | 'restore', ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, 'gateway/bin', `${command}.mjs`), ...args],
    { encoding: 'utf8', env: { ...process.env, DATA_DIR: folder, INIT_CWD: folder } },
  );
  return { status, stdout, stderr };
}

test('a file named from where the person is comes to be, and goes back', () => {
  const made = npmRun('backup', 'copy.db');
  expect(made).toMatchObject({ status: 0, stderr: '' });
  expect(made.stdout).toContain(`Backed up 0 runs and the digests of 0 models to ${join(folder, 'copy.db')}`);
  expect(existsSync(join(folder, 'copy.db'))).toBe(true);
  expect(npmRun('backup', 'copy.db')).toMatchObject({ status: 1, stdout: '' });
  const restored = npmRun('restore', 'copy.db');
  expect(restored).toMatchObject({ status: 0, stderr: '' });
  expect(restored.stdout).toContain('Restored 0 runs and 0 models');
});

test.each([[[]], [['a', 'b']], [['--help']]])('%j is no file', (args) => {
  expect(npmRun('backup', ...args)).toEqual({
    status: 1,
    stdout: '',
    stderr: 'error: one file is needed: npm run backup -- <file>\n',
  });
});
