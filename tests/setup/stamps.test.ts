import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { packagesInstalled } from '../../gateway/bin/setup/packages.mjs';
import { fingerprint } from '../../gateway/bin/setup/stamps.mjs';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'checkout-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const write = (path: string, text: string) => {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), text);
};

test.each<[string, () => void, boolean]>([
  ['nothing', () => {}, false],
  ['the content of a source', () => write('src/a.ts', '2'), true],
  ['a new source', () => write('src/deep/b.ts', ''), true],
  ['what was built', () => write('src/dist/a.js', ''), false],
  ['what was installed', () => write('src/node_modules/x/index.js', ''), false],
])('%s changes the fingerprint or not', (_, change, differs) => {
  write('src/a.ts', '1');
  const before = fingerprint(root, ['src', 'absent']);
  change();
  expect(fingerprint(root, ['src', 'absent']) !== before).toBe(differs);
});

test.each<[string, object, object, boolean]>([
  ['all there', { 'node_modules/a': { version: '1.0.0' } }, { 'node_modules/a': { version: '1.0.0' } }, true],
  [
    'another version',
    { 'node_modules/a': { version: '1.0.1' } },
    { 'node_modules/a': { version: '1.0.0' } },
    false,
  ],
  ['one more wanted', { 'node_modules/b': { version: '1.0.0' } }, {}, false],
  ["another platform's binary", { 'node_modules/b': { version: '1.0.0', optional: true } }, {}, true],
  [
    'the workspaces themselves',
    { '': {}, gateway: { version: '0.1.0' }, 'node_modules/g': { link: true } },
    {},
    true,
  ],
])('npm packages: %s', (_, wanted, installed, complete) => {
  write('package-lock.json', JSON.stringify({ packages: wanted }));
  write('node_modules/.package-lock.json', JSON.stringify({ packages: installed }));
  write('node_modules/a/package.json', '{}');
  expect(packagesInstalled(root)).toBe(complete);
});

test('npm packages: never installed', () => {
  write('package-lock.json', '{"packages":{}}');
  expect(packagesInstalled(root)).toBe(false);
});
