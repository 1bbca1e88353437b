import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { duration, say } from '../setup/console.mjs';
import { root } from '../setup/steps.mjs';

/**
 * Runs checks side by side, prints a line for each and the whole output of those that fail.
 * @param {import('./checks.mjs').Check[]} checks
 * @returns {Promise<{ passed: number, failed: number, skipped: number }>}
 */
export async function runChecks(checks) {
  const waiting = [...checks];
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const lane = async () => {
    for (let check = waiting.shift(); check; check = waiting.shift()) {
      const started = performance.now();
      const { ok, output } = await runCheck(check);
      counts[ok ? 'passed' : 'failed'] += 1;
      say(`${ok ? '✓' : '✗'} ${check.name} (${duration(performance.now() - started)})`);
      if (!ok) say(output.trimEnd().replaceAll(/^/gm, '  | '));
    }
  };
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, lane));
  return counts;
}

/** @param {import('./checks.mjs').Check} check @returns {Promise<{ ok: boolean, output: string }>} */
function runCheck({ command, args, cwd }) {
  const child = spawn(command, args, { cwd: cwd ?? root, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  return new Promise((resolve) => {
    child.once('error', (cause) =>
      resolve({ ok: false, output: `${command} does not start: ${cause.message}` }),
    );
    child.once('close', (code) => resolve({ ok: code === 0, output }));
  });
}
