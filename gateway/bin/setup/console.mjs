import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const HEARTBEAT_MS = 15_000;
const FRAME_MS = 200;
const TAIL_LINES = 40;
const NOTE_LENGTH = 70;
const tty = process.stderr.isTTY === true;

/** A failure whose message alone tells a person what to do: printed without a stack. */
export class SetupError extends Error {
  /** @param {string} message @param {string[]} [tail] last lines of what failed */
  constructor(message, tail = []) {
    super(message);
    this.tail = tail;
  }
}

/** @param {number} milliseconds */
export function duration(milliseconds) {
  const seconds = milliseconds / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** @param {string} line */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/**
 * Announces a piece of work, shows that it lives, and tells how long it took.
 * @template T
 * @param {string} title
 * @param {(note: (line: string) => void) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function step(title, work) {
  const started = performance.now();
  let latest = '';
  const elapsed = () => duration(performance.now() - started);
  const columns = process.stderr.columns ?? 80;
  const draw = () =>
    tty
      ? process.stderr.write(`\r\x1b[2K… ${title} ${elapsed()}  ${latest}`.slice(0, columns + 4))
      : say(`  … ${title}: ${elapsed()}${latest ? `, ${latest}` : ''}`);
  if (!tty) say(`… ${title}`);
  const timer = setInterval(draw, tty ? FRAME_MS : HEARTBEAT_MS);
  try {
    const result = await work((line) => {
      latest = line.trim().slice(0, NOTE_LENGTH);
    });
    say(`${tty ? '\r\x1b[2K' : ''}✓ ${title} (${elapsed()})`);
    return result;
  } catch (error) {
    say(`${tty ? '\r\x1b[2K' : ''}✗ ${title} (${elapsed()})`);
    throw error;
  } finally {
    clearInterval(timer);
  }
}

/**
 * Runs a program to its end; its output is kept for the case that it fails.
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd: string, env?: Record<string, string>, note?: (line: string) => void, hint: string }} options
 * @returns {Promise<string[]>} the last lines of its output
 */
export async function run(command, args, { cwd, env = {}, note, hint }) {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  /** @type {string[]} */
  const tail = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      tail.push(line);
      if (tail.length > TAIL_LINES) tail.shift();
      note?.(line);
    });
  }
  const code = await new Promise((resolve, reject) => {
    child.once('error', (cause) =>
      reject(new SetupError(`${command} does not start (${cause.message}): ${hint}`)),
    );
    child.once('close', (status, signal) => resolve(signal ?? status));
  });
  if (code !== 0) throw new SetupError(`${command} ${args[0] ?? ''} ended with ${code}: ${hint}`, tail);
  return tail;
}

/** @param {SetupError} error */
export function explain(error) {
  for (const line of error.tail) say(`  | ${line}`);
  say(`error: ${error.message}`);
}

/**
 * Runs a program's main function: a SetupError becomes its one line, anything else keeps its stack.
 * @param {() => Promise<number | undefined>} program resolves to the exit code; undefined leaves the process running
 */
export async function main(program) {
  try {
    const code = await program();
    if (code !== undefined) process.exit(code);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    explain(error);
    process.exit(1);
  }
}
