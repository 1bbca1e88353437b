import { spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { explain, SetupError, say } from '../setup/console.mjs';
import { build, python, root } from '../setup/steps.mjs';
import { checks } from './checks.mjs';
import { readJest, readJunit } from './reports.mjs';
import { runChecks } from './run-checks.mjs';

const REPORTS = join(root, '.data', 'reports');
/** A suite that hangs must end as a failure, not as a job that never ends. */
const LIMIT_MS = 15 * 60_000;
const GRACE_MS = 10_000;

/** @typedef {import('./reports.mjs').Counts} Counts */
/** @typedef {{ name: string, about: string, browser?: true, run: (env: Record<string, string>) => Promise<Counts> }} Suite */

async function runBuild() {
  try {
    await build();
    return { passed: 1, failed: 0, skipped: 0 };
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    explain(error);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

/** @param {Record<string, string>} env */
async function runPytest(env) {
  const report = freshReport('python.xml');
  const lanes = Math.min(4, availableParallelism());
  // In the order of the folders: the longest file, which kills servers, comes first and so is never waited for.
  const spread = ['-n', String(lanes), '--dist', 'loadfile', '--no-loadscope-reorder'];
  const args = ['-m', 'pytest', ...spread, '--junitxml', report, '-o', 'junit_family=xunit2'];
  const ok = await stream(python, args, join(root, 'python-backend'), env);
  return agree(readJunit(report), ok);
}

/** Two files at once also on two cores: they wait for processes more than they compute. @param {Record<string, string>} env */
function runNodeTests(env) {
  const lanes = Math.max(2, availableParallelism() - 1);
  const selection = ['--testPathPatterns', '/tests/(?!browser/)', '--maxWorkers', String(lanes)];
  return runJest('node.json', selection, env);
}

/** On what is built from the sources of now. @param {Record<string, string>} env */
async function runBrowserTests(env) {
  const built = await runBuild();
  if (built.failed) return built;
  return runJest('browser.json', ['--testPathPatterns', '/tests/browser/', '--runInBand'], env);
}

/** @param {string} name @param {string[]} selection @param {Record<string, string>} env */
async function runJest(name, selection, env) {
  const report = freshReport(name);
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  // Jest runs ES modules only through Node's vm modules, which announce themselves as experimental.
  const node = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const ok = await stream(
    process.execPath,
    [...node, jest, '--json', '--outputFile', report, ...selection],
    root,
    env,
  );
  return agree(readJest(report), ok);
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

/** In order: cheap and telling first. @type {Suite[]} */
export const suites = [
  { name: 'build', about: 'gateway and dashboard (tsc, vite)', run: runBuild },
  { name: 'check', about: 'lint, format, types, import directions, drift', run: () => runChecks(checks) },
  { name: 'python', about: 'the backend (pytest)', run: runPytest },
  { name: 'node', about: 'gateway, mirror, realtime, contract, command line (jest)', run: runNodeTests },
  {
    name: 'browser',
    about: 'the dashboard in Chromium (jest, playwright-core)',
    browser: true,
    run: runBrowserTests,
  },
];
