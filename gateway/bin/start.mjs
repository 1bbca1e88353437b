import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { main } from './setup/console.mjs';
import { root, setUp } from './setup/steps.mjs';

// Signals reach the gateway by itself in a terminal (one process group); a supervisor's SIGTERM is passed on.
await main(async () => {
  await setUp();
  const gateway = spawn(
    process.execPath,
    ['--enable-source-maps', join(root, 'gateway/dist/gateway/src/main.js')],
    {
      cwd: root,
      stdio: 'inherit',
    },
  );
  process.on('SIGINT', () => {});
  for (const signal of /** @type {const} */ (['SIGTERM', 'SIGHUP']))
    process.on(signal, () => gateway.kill(signal));
  return new Promise((resolve, reject) => {
    gateway.once('error', reject);
    gateway.once('close', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)));
  });
});
