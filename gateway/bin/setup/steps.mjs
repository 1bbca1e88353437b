import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { explain, run, SetupError, step } from './console.mjs';
import { exclusively } from './lock.mjs';
import { packagesInstalled } from './packages.mjs';
import { fingerprint, isStamped, stamp } from './stamps.mjs';
import { findPython, requireNode } from './toolchain.mjs';

/** Absolute path of the checkout. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const LOCK = join(root, '.data', 'setup.lock');
const NETWORK = 'check the network and the registry settings, then run the same command again';
const SOURCES = 'the sources do not compile, see above';

/** The checkout's own Python. */
export const python = join(root, '.venv', 'bin', 'python');
/** What installs Python packages: thirty times as fast as pip, from the same lock files. */
export const uv = join(root, '.venv', 'bin', 'uv');

/** Prisma's generator needs none of the engines that its command line would download. */
const PRISMA_ENV = {
  PRISMA_SCHEMA_ENGINE_BINARY: '/bin/false',
  CHECKPOINT_DISABLE: '1',
  PRISMA_HIDE_UPDATE_MESSAGE: '1',
};

/** Installs what is missing to run; idempotent, and quick when there is nothing to do. */
export async function install() {
  requireNode();
  await exclusively(LOCK, installAll);
}

/** Also what only tests, checks and benchmarks need. */
export async function installForTests() {
  requireNode();
  await exclusively(LOCK, async () => {
    await installAll();
    await installTestTools();
    await installForSomeTests(installGym);
    await installForSomeTests(installRay);
    await installForSomeTests(installLmEval);
  });
}

/** What only some need, by name. */
const EXTRAS = { gym: installGym, ray: installRay, 'lm-eval': installLmEval };
export const extras = Object.keys(EXTRAS);

/** Also what `gym:` data sets, `lm-eval:` tasks or `EXECUTOR=ray` need. @param {string} extra */
export async function setUpWith(extra) {
  await setUp();
  await exclusively(LOCK, EXTRAS[/** @type {keyof typeof EXTRAS} */ (extra)]);
}

/** Builds what has changed. */
export async function build() {
  await exclusively(LOCK, async () => {
    await buildGateway();
    await buildDashboard();
  });
}

/** What the command line needs: all but the pages. */
export async function prepareCommandLine() {
  await install();
  await exclusively(LOCK, buildGateway);
}

/** From a bare clone to something that runs. */
export async function setUp() {
  await install();
  await build();
}

async function installAll() {
  await installPackages();
  await installPython();
  await generateClient();
}

async function installPackages() {
  if (packagesInstalled(root)) return;
  await step('installing npm packages', (note) =>
    run('npm', ['ci', '--ignore-scripts'], { cwd: root, note, hint: NETWORK }),
  );
}

async function installPython() {
  const file = join(root, '.venv', '.agent-forge-stamp');
  const inputs = ['requirements-uv.lock', 'requirements.lock', 'pyproject.toml'].map(
    (name) => `python-backend/${name}`,
  );
  const torch = torchRequirement();
  // The path is an input because a virtual environment cannot be moved.
  const wanted = fingerprint(root, inputs, [torch, root]);
  if (existsSync(python) && isStamped(file, wanted)) return;
  if (!existsSync(python)) {
    const base = findPython();
    await step(`making .venv with ${base}`, () =>
      run(base, ['-m', 'venv', '.venv'], { cwd: root, hint: 'install the venv module of that Python' }),
    );
  }
  await pip('installing uv', ['--require-hashes', '-r', 'python-backend/requirements-uv.lock']);
  await locked('installing Python packages', 'python-backend/requirements.lock');
  // Not in the lock: its CPU and CUDA builds share a version. TORCH_INDEX_URL chooses one, else pip's own settings do.
  const index = process.env.TORCH_INDEX_URL;
  await pip('installing torch', index ? [torch, '--index-url', index] : [torch]);
  await pip('linking the backend', ['--no-deps', '--no-build-isolation', '-e', 'python-backend']);
  stamp(file, wanted);
}

async function installTestTools() {
  const lock = 'python-backend/requirements-dev.lock';
  const file = join(root, '.venv', '.agent-forge-dev-stamp');
  const wanted = fingerprint(root, [lock]);
  if (isStamped(file, wanted)) return;
  await locked("installing the tests' Python packages", lock);
  stamp(file, wanted);
}

async function installGym() {
  await installExtra(
    'gym',
    'reasoning-gym',
    'check the network; of what it needs, pycosat is compiled from C',
  );
}

async function installRay() {
  await installExtra('ray', 'Ray', 'check the network; there are wheels for Linux and macOS, 64 bit');
}

async function installLmEval() {
  await installExtra('lm-eval', 'lm-eval', 'check the network; there are wheels for Linux and macOS, 64 bit');
}

/** @param {string} name of the lock file @param {string} title @param {string} hint */
async function installExtra(name, title, hint) {
  const lock = `python-backend/requirements-${name}.lock`;
  const file = join(root, '.venv', `.agent-forge-${name}-stamp`);
  const wanted = fingerprint(root, [lock]);
  if (isStamped(file, wanted)) return;
  await locked(`installing ${title}`, lock, hint);
  stamp(file, wanted);
}

/** Without it the tests of `gym:` data sets or `lm-eval:` tasks fail and those of a cluster are skipped; all others can do. @param {() => Promise<void>} install */
async function installForSomeTests(install) {
  try {
    await install();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    explain(error);
  }
}

/** @param {string} title @param {string} lock @param {string} [hint] */
function locked(title, lock, hint = NETWORK) {
  // Where the environment names a mirror of the registry for pip, uv uses it too.
  const index = process.env.PIP_INDEX_URL;
  const env = index ? { UV_DEFAULT_INDEX: index } : {};
  const args = ['pip', 'install', '--python', python, '--require-hashes', '-r', lock];
  return step(title, (note) => run(uv, args, { cwd: root, env, note, hint }));
}

/** @param {string} title @param {string[]} args */
function pip(title, args) {
  const quiet = ['--disable-pip-version-check', '--no-input', '--progress-bar', 'off'];
  return step(title, (note) =>
    run(python, ['-m', 'pip', 'install', ...quiet, ...args], { cwd: root, note, hint: NETWORK }),
  );
}

/** The version that the backend's own list of dependencies pins. */
function torchRequirement() {
  const project = readFileSync(join(root, 'python-backend', 'pyproject.toml'), 'utf8');
  const [, found] = /^ *"(torch==[^"]+)",?$/m.exec(project) ?? [];
  if (!found) throw new SetupError('python-backend/pyproject.toml names no version of torch: restore it');
  return found;
}

async function generateClient() {
  const output = join(root, 'gateway', 'src', 'generated');
  await whenChanged('generating the database client', output, ['prisma/schema.prisma'], (note) =>
    runNode('prisma/build/index.js', ['generate', '--schema', 'prisma/schema.prisma'], note, PRISMA_ENV),
  );
}

async function buildGateway() {
  const inputs = ['gateway/src', 'gateway/tsconfig.json', 'tsconfig.json', 'openapi', 'prisma/schema.prisma'];
  await whenChanged('building the gateway', join(root, 'gateway', 'dist'), inputs, (note) =>
    runNode('typescript/bin/tsc', ['-p', 'gateway/tsconfig.json'], note),
  );
}

async function buildDashboard() {
  await whenChanged(
    'building the dashboard',
    join(root, 'dashboard', 'dist'),
    ['dashboard', 'openapi'],
    (note) => runNode('vite/bin/vite.js', ['build', 'dashboard', '--logLevel', 'warn'], note),
  );
}

/**
 * @param {string} title
 * @param {string} output folder that the work makes
 * @param {string[]} inputs
 * @param {(note: (line: string) => void) => Promise<unknown>} work
 */
async function whenChanged(title, output, inputs, work) {
  const file = join(output, '.agent-forge-stamp');
  const wanted = fingerprint(root, [...inputs, 'package-lock.json']);
  if (isStamped(file, wanted)) return;
  await step(title, work);
  mkdirSync(output, { recursive: true });
  stamp(file, wanted);
}

/**
 * @param {string} program path below node_modules
 * @param {string[]} args
 * @param {(line: string) => void} note
 * @param {Record<string, string>} [env]
 */
async function runNode(program, args, note, env = {}) {
  const file = join(root, 'node_modules', program);
  if (!existsSync(file))
    throw new SetupError(`node_modules is incomplete: delete it and run the same command again`);
  await run(process.execPath, [file, ...args], { cwd: root, env, note, hint: SOURCES });
}
