import { join } from 'node:path';
import { main, run, step } from './setup/console.mjs';
import { installForTests, python, root } from './setup/steps.mjs';

const PIP_TOOLS = 'pip-tools==7.6.2';
const COMPILE = [
  '--generate-hashes',
  '--allow-unsafe',
  '--strip-extras',
  '--no-header',
  '--no-emit-index-url',
  '--no-emit-find-links',
];
/** In this order: what tests need is constrained by what runs. */
const LOCKS = ['requirements', 'requirements-dev'];

/** Rewrites the lock files of python-backend from the .in files beside them. */
await main(async () => {
  await installForTests();
  const hint = 'check the network and the .in files';
  await step(`installing ${PIP_TOOLS}`, (note) =>
    run(python, ['-m', 'pip', 'install', '--disable-pip-version-check', PIP_TOOLS], {
      cwd: root,
      note,
      hint,
    }),
  );
  for (const name of LOCKS)
    await step(`resolving ${name}.in`, (note) =>
      run(python, ['-m', 'piptools', 'compile', ...COMPILE, '-o', `${name}.lock`, `${name}.in`], {
        cwd: join(root, 'python-backend'),
        note,
        hint,
      }),
    );
  return 0;
});
