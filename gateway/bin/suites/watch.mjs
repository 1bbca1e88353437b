import { say } from '../setup/console.mjs';

const MINUTE = 60_000;
const GRACE_MS = 10_000;

/** A test that waits gives up by itself earlier: whatever is silent for longer hangs. */
const SILENCE_MS = 30 * MINUTE;
/** Limit of the whole command: a job that never ends reports no failure. */
const WHOLE_MS = 85 * MINUTE;
const end = performance.now() + WHOLE_MS;

/** @typedef {{ silence?: number, whole?: number }} Limits milliseconds */

/**
 * Ends a program in which nothing happens any more. How fast it goes is no matter: on a busy machine everything is slow.
 * @param {import('node:child_process').ChildProcess} child
 * @param {Limits} [limits]
 * @returns {{ alive: () => void, stop: () => void }} to be told of each sign of life, and of the end
 */
export function watch(child, { silence = SILENCE_MS, whole = end - performance.now() } = {}) {
  /** @param {string} reason */
  const kill = (reason) => {
    say(`stopped: ${reason}`);
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), GRACE_MS).unref();
  };
  const quiet = () => kill(`no test has ended for ${Math.round(silence / MINUTE)} minutes`);
  let timer = setTimeout(quiet, silence);
  const last = setTimeout(
    () => kill(`all suites together ran longer than ${WHOLE_MS / MINUTE} minutes`),
    Math.max(0, whole),
  );
  return {
    alive() {
      clearTimeout(timer);
      timer = setTimeout(quiet, silence);
    },
    stop() {
      clearTimeout(timer);
      clearTimeout(last);
    },
  };
}
