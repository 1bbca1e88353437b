import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { SetupError } from './console.mjs';
import { install, python, root } from './steps.mjs';

/**
 * Backs up or restores the backend's database, where the gateway keeps it.
 * @param {'backup' | 'restore'} command
 * @param {string[]} args as they were given
 * @returns {Promise<number>} exit code
 */
export async function database(command, args) {
  const [file, ...rest] = args;
  if (file === undefined || file.startsWith('-') || rest.length > 0)
    throw new SetupError(`one file is needed: npm run ${command} -- <file>`);
  await install();
  const data = join(resolve(root, process.env.DATA_DIR || '.data'), 'backend');
  // npm runs scripts in the checkout; a relative name is relative to where the person is.
  const path = resolve(process.env.INIT_CWD || process.cwd(), file);
  const child = spawn(python, ['-m', 'agent_forge', command, '--data', data, '--', path], {
    stdio: 'inherit',
  });
  return new Promise((done, failed) => {
    child.once('error', failed);
    child.once('close', (code) => done(code ?? 1));
  });
}
