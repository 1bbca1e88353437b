/**
 * Follows a Dockerfile without Docker: each stage is a folder that stands for its file system, COPY copies, RUN runs
 * the scripts of docker/, and what the last stage starts runs as another user, who can write nothing but its volumes.
 * Bounds: the machine's own Node and Python stand for those of the base images.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, cpSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { root } from '../../gateway/src/root.js';
import { type Instruction, parseDockerfile } from './dockerfile.js';

/** Debian's `nobody`, who has a name as an image's user has, and owns nothing. Who is not root can be nobody else. */
export const USER: { uid?: number; gid?: number } =
  process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
const FOLDERS = ['app', 'data', 'source'];
const SCRIPT = /^sh (docker\/\S+\.sh) (\S+) (\S+)$/;
const VOLUME = /\binstall -d -o \S+ -g \S+ -m 0700 (\S+)$/;

export type Image = {
  /** The folder that stands for its file system. */
  directory: string;
  environment: Record<string, string>;
  command: string[];
  healthcheck: string[];
};

export type Running = {
  child: ChildProcess;
  output(): string;
  stop(): Promise<number | NodeJS.Signals | null>;
};

/** `environment` is what the base images and `--build-arg` would give to the scripts. */
export async function buildImage(
  dockerfile: string,
  context: string,
  directory: string,
  environment: Record<string, string> = {},
): Promise<Image> {
  const stages = parseDockerfile(readFileSync(join(root, 'docker', dockerfile), 'utf8'));
  const path = (stage: string) => join(directory, stage);
  for (const { name, instructions } of stages) {
    let workdir = '/';
    const inside = (text: string) => join(path(name), resolve(workdir, text));
    mkdirSync(path(name), { recursive: true });
    for (const each of instructions) {
      if (each.name === 'WORKDIR') {
        workdir = each.value;
        mkdirSync(inside('.'), { recursive: true });
      } else if (each.name === 'COPY') {
        const from = each.from === undefined ? context : path(each.from);
        for (const source of each.sources)
          copy(join(from, source), inside(each.destination), each, each.from !== undefined);
      } else if (each.name === 'RUN') {
        await perform(each.command, inside, environment);
      }
    }
  }
  const last = stages.at(-1);
  if (!last) throw new Error(`${dockerfile} has no stage`);
  if (process.getuid?.() !== 0) execFileSync('chmod', ['-R', 'a-w', join(path(last.name), 'app')]);
  return { directory: path(last.name), ...started(last.instructions, path(last.name)) };
}

/** A folder's content goes into the destination; a file becomes it, or goes into it where it ends with a slash. */
function copy(
  source: string,
  destination: string,
  { destination: named, sources }: Extract<Instruction, { name: 'COPY' }>,
  link: boolean,
): void {
  if (statSync(source).isDirectory()) {
    mkdirSync(destination, { recursive: true });
    // Between stages by hard links: a virtual environment holds more than a gigabyte.
    execFileSync('cp', [link ? '-al' : '-a', `${source}/.`, destination]);
    return;
  }
  const into = named.endsWith('/') || sources.length > 1;
  const target = into ? join(destination, basename(source)) : destination;
  mkdirSync(dirname(target), { recursive: true });
  cpSync(source, target);
}

async function perform(
  command: string,
  inside: (path: string) => string,
  environment: Record<string, string>,
): Promise<void> {
  const [, script, source, target] = SCRIPT.exec(command) ?? [];
  const [, volume] = VOLUME.exec(command) ?? [];
  if (script && source && target) {
    const args = [inside(script), inside(source), inside(target)];
    await promisify(execFile)('sh', args, {
      cwd: inside('.'),
      // Jest's NODE_ENV is none that a build would see.
      env: { ...process.env, NODE_ENV: undefined, ...environment },
      maxBuffer: 64 << 20,
    });
  } else if (volume) {
    mkdirSync(inside(volume), { mode: 0o700 });
    if (USER.uid && USER.gid) chownSync(inside(volume), USER.uid, USER.gid);
  } else {
    throw new Error(`RUN takes a script of docker/, or makes a volume's folder: ${command}`);
  }
}

function started(instructions: Instruction[], directory: string): Omit<Image, 'directory'> {
  const environment: Record<string, string> = { PATH: process.env.PATH ?? '' };
  let command: string[] = [];
  let healthcheck: string[] = [];
  for (const each of instructions) {
    if (each.name === 'ENV') {
      for (const [name, value] of each.values)
        environment[name] = placed(value, directory).replace('$PATH', environment.PATH ?? '');
    } else if (each.name === 'CMD') {
      command = each.command;
    } else if (each.name === 'HEALTHCHECK') {
      healthcheck = each.command;
    }
  }
  return { environment, command, healthcheck };
}

/** Absolute paths of the image, as they are here. */
function placed(value: string, directory: string): string {
  return value.replaceAll(new RegExp(`(?<=^|:)/(?=(?:${FOLDERS.join('|')})(?:/|:|$))`, 'g'), `${directory}/`);
}

/** What the image starts, with nothing of this process's environment but where programs are. */
export function start(image: Image, environment: Record<string, string>): Running {
  const [program = '', ...args] = image.command;
  const child = spawn(program, args, {
    ...USER,
    cwd: join(image.directory, 'app'),
    env: { ...image.environment, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const closed = once(child, 'close').catch((error: Error) => {
    output += error.message;
  });
  return {
    child,
    output: () => output,
    async stop() {
      child.kill('SIGTERM');
      await closed;
      return child.exitCode ?? child.signalCode;
    },
  };
}

export function isHealthy(image: Image, environment: Record<string, string>): boolean {
  const [program = '', ...args] = image.healthcheck;
  try {
    execFileSync(program, args, {
      ...USER,
      cwd: join(image.directory, 'app'),
      env: { ...image.environment, ...environment },
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false;
  }
}

/** What its user could change of the program's own files. */
export function writable(image: Image): string[] {
  const args = [join(image.directory, 'app'), '-writable', '-not', '-type', 'l'];
  return execFileSync('find', args, { ...USER, encoding: 'utf8' })
    .split('\n')
    .filter(Boolean);
}

/** A Python of this machine that the image's user can start. */
export function basePython(): string {
  const asked = process.env.SETUP_PYTHON;
  const names = asked ? [asked] : ['python3.11', 'python3.12', 'python3.13', '/usr/bin/python3', 'python3'];
  const program =
    'import sys, venv, ensurepip; assert sys.version_info >= (3, 11); print(sys.executable, end="")';
  for (const name of names) {
    try {
      // Its path: by its name, whoever builds might find another one.
      return execFileSync(name, ['-c', program], { ...USER, cwd: '/', encoding: 'utf8', stdio: 'pipe' });
    } catch {
      // Too old, without venv, or in a folder that is closed to others: another one may do.
    }
  }
  throw new Error('no Python 3.11 with venv that every user can start; Debian: apt-get install python3-venv');
}

/** Open to the image's user down to here, as a file system of its own would be. */
export function open(directory: string): void {
  chmodSync(directory, 0o755);
}
