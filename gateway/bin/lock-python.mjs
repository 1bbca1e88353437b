import { join } from 'node:path';
import { main, run, step } from './setup/console.mjs';
import { install, python, root } from './setup/steps.mjs';

const PIP_TOOLS = 'pip-tools==7.6.2';
const COMPILE = [
  '--generate-hashes',
  '--allow-unsafe',
  '--strip-extras',
  '--no-header',
  '--no-emit-index-url',
];

/** Rewrites python-backend/requirements.lock from requirements.in. */
await main(async () => {
  await install();
  const hint = 'check the network and requirements.in';
  await step(`installing ${PIP_TOOLS}`, (note) =>
    run(python, ['-m', 'pip', 'install', '--disable-pip-version-check', PIP_TOOLS], {
      cwd: root,
      note,
      hint,
    }),
  );
  await step('resolving requirements.in', (note) =>
    run(python, ['-m', 'piptools', 'compile', ...COMPILE, '-o', 'requirements.lock', 'requirements.in'], {
      cwd: join(root, 'python-backend'),
      note,
      hint,
    }),
  );
  return 0;
});
