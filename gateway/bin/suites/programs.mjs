import { spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { python, root } from '../setup/steps.mjs';
import { readJest, readJunit } from './reports.mjs';
import { watch } from './watch.mjs';

/** @typedef {import('./reports.mjs').Counts} Counts */

const REPORTS = join(root, '.data', 'reports');
const REPORTER = join(root, 'gateway', 'bin', 'suites', 'progress-reporter.mjs');

/**
 * @param {string} report name of its file
 * @param {string[]} selection
 * @param {Record<string, string>} [env]
 * @returns {Promise<Counts>}
 */
export async function runPytest(report, selection, env = {}) {
  const file = freshReport(report);
  // Its output comes through a pipe, which has no colours by itself.
  const colour = process.stderr.isTTY ? ['--color', 'yes'] : [];
  const args = ['-m', 'pytest', '--junitxml', file, '-o', 'junit_family=xunit2', ...colour, ...selection];
  const ok = await stream(python, args, join(root, 'python-backend'), env);
  return agree(readJunit(file), ok);
}

/**
 * @param {string} report name of its file
 * @param {string[]} selection
 * @param {Record<string, string>} [env]
 * @returns {Promise<Counts>}
 */
export async function runJest(report, selection, env = {}) {
  const file = freshReport(report);
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  // Jest runs ES modules only through Node's vm modules, which announce themselves as experimental.
  const node = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const reporters = ['--reporters', 'default', '--reporters', REPORTER];
  const args = [...node, jest, '--json', '--outputFile', file, ...reporters, ...selection];
  const ok = await stream(process.execPath, args, root, env);
  return agree(readJest(file), ok);
}

/** A bad exit code with a clean report (a crash after the last test) still is a failure. @param {Counts} counts @param {boolean} ok */
function agree(counts, ok) {
  return ok || counts.failed > 0 ? counts : { ...counts, failed: 1 };
}

/** @param {string} name */
function freshReport(name) {
  mkdirSync(REPORTS, { recursive: true });
  const file = join(REPORTS, name);
  rmSync(file, { force: true });
  return file;
}

/**
 * Runs a program with its output going to the terminal, and ends it where it hangs.
 * @param {string} command
 * @param {string[]} args
 * @param {string} cwd
 * @param {Record<string, string>} env
 * @returns {Promise<boolean>} whether it ended well
 */
function stream(command, args, cwd, env) {
  const isJest = args.includes(REPORTER);
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    // The JSON that jest repeats on its standard output is in the report file; its reporter writes to the fourth.
    stdio: ['ignore', isJest ? 'ignore' : 'pipe', 2, isJest ? 'pipe' : 'ignore'],
  });
  const watched = watch(child);
  // Pytest prints a dot for each test.
  child.stdout?.on('data', (text) => {
    process.stderr.write(text);
    watched.alive();
  });
  child.stdio[3]?.on('data', watched.alive);
  // Whoever ends the runner ends what it runs.
  const end = () => child.kill('SIGTERM');
  process.once('exit', end);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      process.off('exit', end);
      watched.stop();
      resolve(code === 0);
    });
  });
}
