import { spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { say } from '../setup/console.mjs';
import { python, root } from '../setup/steps.mjs';
import { readJest, readJunit } from './reports.mjs';

/** @typedef {import('./reports.mjs').Counts} Counts */

const REPORTS = join(root, '.data', 'reports');
/** A suite that hangs must end as a failure, not as a job that never ends; a busy machine is given time. */
const LIMIT_MS = 45 * 60_000;
const GRACE_MS = 10_000;

/**
 * @param {string} report name of its file
 * @param {string[]} selection
 * @param {Record<string, string>} [env]
 * @returns {Promise<Counts>}
 */
export async function runPytest(report, selection, env = {}) {
  const file = freshReport(report);
  const args = ['-m', 'pytest', '--junitxml', file, '-o', 'junit_family=xunit2', ...selection];
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
  const args = [...node, jest, '--json', '--outputFile', file, ...selection];
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
 * Runs a program with its output going straight to the terminal.
 * @param {string} command
 * @param {string[]} args
 * @param {string} cwd
 * @param {Record<string, string>} env
 * @returns {Promise<boolean>} whether it ended well
 */
function stream(command, args, cwd, env) {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    // The JSON that jest repeats on its standard output is in the report file.
    stdio: ['ignore', args.includes('--json') ? 'ignore' : 2, 2],
  });
  const limit = setTimeout(() => {
    say(`stopped: it ran longer than ${LIMIT_MS / 60_000} minutes`);
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), GRACE_MS).unref();
  }, LIMIT_MS);
  // Whoever ends the runner ends what it runs.
  const end = () => child.kill('SIGTERM');
  process.once('exit', end);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      process.off('exit', end);
      clearTimeout(limit);
      resolve(code === 0);
    });
  });
}
