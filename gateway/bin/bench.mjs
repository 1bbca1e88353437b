import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, parse } from 'node:path';
import { main, SetupError, say } from './setup/console.mjs';
import { installForTests, prepareCommandLine, python, root } from './setup/steps.mjs';

const BACKEND = join(root, 'python-backend');
/** Of the backend, in Python, and of the gateway. */
const FOLDERS = [join(BACKEND, 'benchmarks'), join(import.meta.dirname, 'benchmarks')];

// A quarter of an hour and more, or beside a peer whose Python has to be given: run only by name.
const BY_NAME = ['ablations', 'agreement', 'causal_lm', 'cluster', 'evolution', 'strategies', 'streaming'];

// npm run bench                    every benchmark but those of `BY_NAME`
// npm run bench -- creation …      one, with its own arguments
await main(async () => {
  const [asked, ...args] = process.argv.slice(2);
  const files = FOLDERS.flatMap((folder) => readdirSync(folder))
    // A peer is what a benchmark runs for comparison, no benchmark by itself.
    .filter((file) => /\.(py|mjs)$/.test(file) && !file.startsWith('_') && !file.endsWith('_peer.py'))
    .sort();
  const names = files.map((file) => parse(file).name);
  if (asked && !names.includes(asked)) {
    throw new SetupError(`no benchmark is called ${asked}: ${names.join(', ')}`);
  }
  await installForTests();
  await prepareCommandLine();
  let failed = 0;
  for (const name of asked ? [asked] : names.filter((each) => !BY_NAME.includes(each))) {
    say(`\n── ${name}`);
    const ofBackend = files.includes(`${name}.py`);
    failed += (await (ofBackend ? benchBackend(name, args) : benchGateway(name, args))) === 0 ? 0 : 1;
  }
  return failed ? 1 : 0;
});

/** @param {string} name @param {string[]} args */
function benchBackend(name, args) {
  return ended(spawn(python, ['-m', `benchmarks.${name}`, ...args], { cwd: BACKEND, stdio: 'inherit' }));
}

/** @param {string} name @param {string[]} args */
function benchGateway(name, args) {
  const file = join(import.meta.dirname, 'benchmarks', `${name}.mjs`);
  return ended(spawn(process.execPath, [file, ...args], { cwd: root, stdio: 'inherit' }));
}

/** @param {import('node:child_process').ChildProcess} child @returns {Promise<number | null>} exit code */
function ended(child) {
  return new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
}
