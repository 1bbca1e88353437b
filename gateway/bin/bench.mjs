import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { main, SetupError, say } from './setup/console.mjs';
import { install, python, root } from './setup/steps.mjs';

const BACKEND = join(root, 'python-backend');
const FOLDER = join(BACKEND, 'benchmarks');

// A quarter of an hour and more: run only by name.
const LONG = ['ablations', 'evolution', 'strategies'];

// npm run bench                    every benchmark but the long ones
// npm run bench -- creation …      one, with its own arguments
await main(async () => {
  const [asked, ...args] = process.argv.slice(2);
  const names = (existsSync(FOLDER) ? readdirSync(FOLDER) : [])
    // A peer is what a benchmark runs for comparison, no benchmark by itself.
    .filter((file) => file.endsWith('.py') && !file.startsWith('_') && !file.endsWith('_peer.py'))
    .map((file) => file.slice(0, -'.py'.length))
    .sort();
  if (asked && !names.includes(asked)) {
    throw new SetupError(`no benchmark is called ${asked}: ${names.join(', ')}`);
  }
  await install();
  let failed = 0;
  for (const name of asked ? [asked] : names.filter((each) => !LONG.includes(each))) {
    say(`\n── ${name}`);
    failed += (await bench(name, args)) === 0 ? 0 : 1;
  }
  return failed ? 1 : 0;
});

/** @param {string} name @param {string[]} args @returns {Promise<number | null>} exit code */
function bench(name, args) {
  const child = spawn(python, ['-m', `benchmarks.${name}`, ...args], { cwd: BACKEND, stdio: 'inherit' });
  return new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
}
