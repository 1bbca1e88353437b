import { join } from 'node:path';
import { main, run, step } from './setup/console.mjs';
import { installForTests, root, uv } from './setup/steps.mjs';

const COMPILE = ['pip', 'compile', '--generate-hashes', '--no-header', '--quiet'];
/** In this order: what tests and extras need is constrained by what runs. */
const LOCKS = [
  'requirements-uv',
  'requirements',
  'requirements-dev',
  'requirements-gym',
  'requirements-ray',
  'requirements-lm-eval',
];

/** Rewrites the lock files of python-backend from the .in files beside them; what is locked stays where it may. */
await main(async () => {
  await installForTests();
  for (const name of LOCKS)
    await step(`resolving ${name}.in`, (note) =>
      run(uv, [...COMPILE, '-o', `${name}.lock`, `${name}.in`], {
        cwd: join(root, 'python-backend'),
        note,
        hint: 'check the network and the .in files',
      }),
    );
  return 0;
});
