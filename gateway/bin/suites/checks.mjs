import { join } from 'node:path';
import { root } from '../setup/steps.mjs';

/** @typedef {{ name: string, command: string, args: string[], cwd?: string }} Check */

const backend = join(root, 'python-backend');

/** @param {string} name @param {string} program below node_modules @param {string[]} args @returns {Check} */
const node = (name, program, args) => ({
  name,
  command: process.execPath,
  args: [join(root, 'node_modules', program), ...args],
});

/** @param {string} name @param {string} program in .venv/bin @param {string[]} args @returns {Check} */
const venv = (name, program, args) => ({
  name,
  command: join(root, '.venv', 'bin', program),
  args,
  cwd: backend,
});

/** @param {string} name @param {string} script of package.json @returns {Check} */
const npm = (name, script) => ({ name, command: 'npm', args: ['run', '--silent', script] });

/** What can be said of the sources without running them. Warnings are errors. @type {Check[]} */
export const checks = [
  // The longest first: two go on at a time.
  venv('types (mypy --strict)', 'mypy', []),
  node('lint and format (Biome)', '@biomejs/biome/bin/biome', ['check', '--error-on-warnings']),
  node('types of gateway, contract and tests (tsc)', 'typescript/bin/tsc', ['--noEmit']),
  node('types of the dashboard (tsc)', 'typescript/bin/tsc', ['--noEmit', '-p', 'dashboard']),
  node('one-way imports (dependency-cruiser)', 'dependency-cruiser/bin/dependency-cruise.mjs', [
    '--config',
    '.dependency-cruiser.js',
    'gateway/src',
    'openapi',
    'dashboard/src',
  ]),
  venv('lint (ruff)', 'ruff', ['check', '.']),
  venv('format (ruff)', 'ruff', ['format', '--check', '.']),
  venv('one-way imports (import-linter)', 'lint-imports', ['--no-cache']),
  npm('contract and migration drift', 'contract:check'),
  { name: 'lock file', command: 'npm', args: ['ci', '--dry-run', '--ignore-scripts', '--silent'] },
];

/** Rewrites what a formatter can decide by itself. @type {Check[]} */
export const fixes = [
  node('Biome', '@biomejs/biome/bin/biome', ['check', '--write']),
  venv('ruff check', 'ruff', ['check', '--fix', '.']),
  venv('ruff format', 'ruff', ['format', '.']),
];
