import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';
import { settings } from '../../gateway/src/config.js';
import { root } from '../../gateway/src/root.js';

const readme = readFileSync(join(root, 'README.md'), 'utf8');
const configuration = readFileSync(join(root, 'gateway/README.md'), 'utf8');

/** Told to the backend by the gateway that starts it. */
const GIVEN_BY_THE_GATEWAY = ['data', 'token', 'host', 'port'];

test.each(
  settings.map(({ name, default: value, meaning }) => [name, value, meaning]),
)("the gateway's README says what %s means", (name, value, meaning) => {
  expect(configuration).toContain(`| \`${name}\` | ${value === '' ? '' : `\`${value}\``} | ${meaning} |`);
});

test("the gateway's README names every setting of the backend", () => {
  const program = 'from agent_forge.settings import Settings; print(*Settings.model_fields)';
  const fields = execFileSync(join(root, '.venv/bin/python'), ['-c', program], { encoding: 'utf8' });
  for (const field of fields.trim().split(' ')) {
    if (!GIVEN_BY_THE_GATEWAY.includes(field))
      expect(configuration).toContain(`AGENT_FORGE_${field.toUpperCase()}`);
  }
});

test('the tree in the README names every folder of the top level', () => {
  const local = ['node_modules', 'coverage', 'data'];
  const folders = readdirSync(root, { withFileTypes: true }).filter(
    (entry) => entry.isDirectory() && !entry.name.startsWith('.') && !local.includes(entry.name),
  );
  for (const { name } of folders) expect(readme).toContain(`\n${name}/`);
});

test('every file that a README links to exists', () => {
  const files = ['README.md', 'gateway/README.md', 'python-backend/README.md', 'dashboard/README.md']
    .concat('python-backend/benchmarks/README.md', '.github/CONTRIBUTING.md')
    .map((file) => join(root, file));
  for (const file of files) {
    for (const [, target] of readFileSync(file, 'utf8').matchAll(/\]\((?!http)([^)#]+)\)/g))
      expect([target, existsSync(join(dirname(file), target as string))]).toEqual([target, true]);
  }
});
