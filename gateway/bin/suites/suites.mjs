import { availableParallelism } from 'node:os';
import { explain, SetupError } from '../setup/console.mjs';
import { build } from '../setup/steps.mjs';
import { checks } from './checks.mjs';
import { runFaults } from './faults.mjs';
import { runJest, runPytest } from './programs.mjs';
import { runChecks } from './run-checks.mjs';

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
function runPythonTests(env) {
  const lanes = Math.min(4, availableParallelism());
  // In the order of the folders: the longest file, which kills servers, comes first and so is never waited for.
  const spread = ['-n', String(lanes), '--dist', 'loadfile', '--no-loadscope-reorder'];
  return runPytest('python.xml', [...spread, '--ignore', 'tests/faults'], env);
}

/** Two files at once also on two cores: they wait for processes more than they compute. @param {Record<string, string>} env */
function runNodeTests(env) {
  const lanes = Math.max(2, availableParallelism() - 1);
  const selection = [
    '--testPathPatterns',
    '/tests/(?!browser/|faults/|docker/images)',
    '--maxWorkers',
    String(lanes),
  ];
  return runJest('node.json', selection, env);
}

/** On what is built from the sources of now. @param {Record<string, string>} env */
async function runBrowserTests(env) {
  const built = await runBuild();
  if (built.failed) return built;
  return runJest('browser.json', ['--testPathPatterns', '/tests/browser/', '--runInBand'], env);
}

/** @param {Record<string, string>} env */
function runImageTests(env) {
  return runJest('images.json', ['--testPathPatterns', '/tests/docker/images', '--runInBand'], env);
}

async function runSmallFaults() {
  const built = await runBuild();
  if (built.failed) return built;
  return runFaults({ small: true });
}

/** In order: cheap and telling first. @type {Suite[]} */
export const suites = [
  { name: 'build', about: 'gateway and dashboard (tsc, vite)', run: runBuild },
  { name: 'check', about: 'lint, format, types, import directions, drift', run: () => runChecks(checks) },
  { name: 'python', about: 'the backend (pytest)', run: runPythonTests },
  {
    name: 'node',
    about: 'gateway, mirror, realtime, contract, command line, dashboard (jest)',
    run: runNodeTests,
  },
  { name: 'images', about: 'both images by their own scripts, as another user (jest)', run: runImageTests },
  {
    name: 'browser',
    about: 'the dashboard in Chromium (jest, playwright-core)',
    browser: true,
    run: runBrowserTests,
  },
  { name: 'faults', about: 'killed, cut off and starved, on a small scale', run: runSmallFaults },
];
