import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run, SetupError, step } from './console.mjs';

const NODE_MINIMUM = [20, 19];
const PYTHON_MINIMUM = [3, 11];
const PYTHONS = ['python3.11', 'python3.12', 'python3.13', 'python3', 'python'];
const CHROMIUMS = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];
const CHROME_ON_MACOS = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome';

export function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new SetupError(
      `Node ${NODE_MINIMUM.join('.')} or newer is needed, this is ${process.versions.node}: install it from https://nodejs.org`,
    );
  }
}

/** A Python that can make virtual environments: $SETUP_PYTHON, else the first fitting one on the PATH. */
export function findPython() {
  const asked = process.env.SETUP_PYTHON;
  /** @type {string[]} */
  const seen = [];
  for (const name of asked ? [asked] : PYTHONS) {
    const probe = spawnSync(name, ['-c', 'import sys; print(*sys.version_info[:2])'], { encoding: 'utf8' });
    if (probe.status !== 0) continue;
    const [major = 0, minor = 0] = probe.stdout.trim().split(' ').map(Number);
    if (major !== PYTHON_MINIMUM[0] || minor < (PYTHON_MINIMUM[1] ?? 0)) {
      seen.push(`${name} is ${major}.${minor}`);
      continue;
    }
    if (spawnSync(name, ['-c', 'import venv, ensurepip']).status !== 0) {
      throw new SetupError(
        `${name} cannot make virtual environments: install its venv module (Debian: apt-get install python${major}.${minor}-venv)`,
      );
    }
    return name;
  }
  const found = seen.length ? ` (${seen.join(', ')})` : '';
  throw new SetupError(
    asked
      ? `SETUP_PYTHON=${asked} is not a Python ${PYTHON_MINIMUM.join('.')} or newer${found}: correct it or unset it`
      : `Python ${PYTHON_MINIMUM.join('.')} or newer is needed${found}: install it (Debian: apt-get install python3 python3-venv; others: https://www.python.org/downloads)`,
  );
}

/** Path of a Chromium or Chrome, or null. */
export function findChromium() {
  const asked = process.env.CHROMIUM;
  if (asked) {
    if (!isExecutable(asked))
      throw new SetupError(`CHROMIUM=${asked} is not a program: correct it or unset it`);
    return asked;
  }
  const folders = (process.env.PATH ?? '').split(delimiter);
  const candidates = CHROMIUMS.flatMap((name) => folders.map((folder) => join(folder, name)));
  return [...candidates, CHROME_ON_MACOS].find(isExecutable) ?? null;
}

/** A Chromium for the browser suite, installed by apt-get where that is at hand. @param {string} root */
export async function requireChromium(root) {
  const present = findChromium();
  if (present) return present;
  const hint = 'install Chromium or Chrome (Debian: apt-get install chromium), or set CHROMIUM=/path/to/it';
  const apt = '/usr/bin/apt-get';
  if (!existsSync(apt)) throw new SetupError(`the browser suite needs a browser: ${hint}`);
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  /** @param {string[]} args */
  const command = (args) => [...asRoot, apt, ...args];
  await step('installing Chromium (apt-get)', async (note) => {
    for (const args of [
      ['update', '-qq'],
      ['install', '-y', '-qq', '--no-install-recommends', 'chromium'],
    ]) {
      const [program = apt, ...rest] = command(args);
      await run(program, rest, { cwd: root, env: { DEBIAN_FRONTEND: 'noninteractive' }, note, hint });
    }
  });
  const installed = findChromium();
  if (!installed) throw new SetupError(`apt-get installed no browser: ${hint}`);
  return installed;
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
