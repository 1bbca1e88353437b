import { duration, SetupError, say } from '../setup/console.mjs';
import { runJest, runPytest } from './programs.mjs';

/** @typedef {import('./reports.mjs').Counts} Counts */
/** @typedef {{ name: string, about: string, count: string | null, whole: number, small: number, run: (env: Record<string, string>) => Promise<Counts> }} Part */

/** One file at a time: these tests kill and starve processes, and measure nothing. @param {string} name @param {string} pattern */
const jest = (name, pattern) => (/** @type {Record<string, string>} */ env) =>
  runJest(`faults-${name}.json`, ['--testPathPatterns', pattern, '--runInBand'], env);

/** @param {string} name @param {string} file */
const pytest = (name, file) => (/** @type {Record<string, string>} */ env) =>
  runPytest(`faults-${name}.xml`, ['-s', `tests/faults/${file}`], env);

/** `count`: the argument that says how much is tried; `whole` of it here, `small` in `npm test`. @type {Part[]} */
export const parts = [
  {
    name: 'kills',
    about: 'worker, backend, gateway and all of them killed in every stage of a pipeline',
    count: 'kills',
    whole: 30,
    small: 4,
    run: jest('kills', '/tests/faults/kills'),
  },
  {
    name: 'events',
    about: 'events doubled, reordered and dropped on their way into the mirror',
    count: 'cases',
    whole: 10_000,
    // The node suite runs them.
    small: 0,
    run: jest('events', '/tests/mirror/(fold|embedded)'),
  },
  {
    name: 'network',
    about: 'a proxy between gateway and backend that delays, resets, half-opens, cuts and doubles',
    count: 'cuts',
    whole: 3,
    small: 1,
    run: jest('network', '/tests/faults/network'),
  },
  {
    name: 'specifications',
    about: 'requests made from both specifications, alone and chained (Schemathesis)',
    count: 'examples',
    whole: 10,
    small: 2,
    run: pytest('specifications', 'test_specifications.py'),
  },
  {
    name: 'points',
    about:
      'killed, ENOSPC, EIO, SQLITE_BUSY and SQLITE_FULL at the n-th write, fsync, rename, begin and commit',
    count: 'points',
    whole: 28,
    small: 5,
    run: pytest('points', 'test_points.py'),
  },
  {
    name: 'cluster',
    about: 'a Ray cluster of three nodes on this machine: the same runs, cancelled, a node killed',
    count: null,
    whole: 1,
    small: 1,
    run: pytest('cluster', 'test_cluster.py'),
  },
];

const COUNTS = parts.flatMap(({ count }) => (count === null ? [] : [count]));

/**
 * `[part …] [--<count> N …] [--seed N] [--case K]`
 * @param {string[]} args
 */
export function parseFaults(args) {
  /** @type {string[]} */
  const names = [];
  /** @type {Record<string, number>} */
  const numbers = {};
  for (let index = 0; index < args.length; index++) {
    const [name, given] = (args[index] ?? '').split('=', 2);
    if (!name?.startsWith('--')) {
      names.push(args[index] ?? '');
      continue;
    }
    const key = name.slice(2);
    if (![...COUNTS, 'seed', 'case'].includes(key))
      throw new SetupError(`${name}: there are --${[...COUNTS, 'seed', 'case'].join(', --')}`);
    const text = given ?? args[++index] ?? '';
    if (!/^\d{1,9}$/.test(text)) throw new SetupError(`${name} ${text}: a number was expected`);
    numbers[key] = Number(text);
  }
  const unknown = names.find((name) => !parts.some((part) => part.name === name));
  if (unknown)
    throw new SetupError(`no part is called ${unknown}: ${parts.map(({ name }) => name).join(', ')}`);
  if (numbers.case !== undefined && names.length !== 1)
    throw new SetupError('--case: name the one part that it belongs to');
  return { names, numbers };
}

/**
 * @param {{ names?: string[], numbers?: Record<string, number>, small?: boolean }} [asked]
 * @returns {Promise<Counts>}
 */
export async function runFaults({ names = [], numbers = {}, small = false } = {}) {
  // Another seed each day would find more, but then a failure could come from the seed or from today's change.
  const { seed = 1, case: only } = numbers;
  const env = { FAULTS_SEED: String(seed), ...(only === undefined ? {} : { FAULTS_CASE: String(only) }) };
  const total = { passed: 0, failed: 0, skipped: 0 };
  /** @type {string[]} */
  const lines = [];
  for (const part of parts.filter(
    (part) => (small ? part.small > 0 : true) && (names.length === 0 || names.includes(part.name)),
  )) {
    const amount = part.count === null ? null : (numbers[part.count] ?? (small ? part.small : part.whole));
    const told = part.count === null ? '' : `, ${part.count} ${amount}`;
    say(`\n── ${part.name}: ${part.about}; seed ${seed}${told}`);
    const started = performance.now();
    const counts = await part.run({
      ...env,
      ...(part.count === null ? {} : { [`FAULTS_${part.count.toUpperCase()}`]: String(amount) }),
    });
    for (const key of /** @type {const} */ (['passed', 'failed', 'skipped'])) total[key] += counts[key];
    lines.push(
      `${part.name.padEnd(14)} ${counts.passed} passed, ${counts.failed} failed (${duration(performance.now() - started)})`,
    );
  }
  say(`\n${lines.join('\n')}`);
  return total;
}
