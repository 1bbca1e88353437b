import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { main } from './setup/console.mjs';
import { prepareCommandLine, root } from './setup/steps.mjs';

// Prepares the checkout if need be, then hands over: output and exit code are those of gateway/src/cli.
await main(async () => {
  await prepareCommandLine();
  await import(pathToFileURL(join(root, 'gateway/dist/gateway/src/cli/main.js')).href);
  return undefined;
});
