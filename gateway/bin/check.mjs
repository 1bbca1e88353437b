import { main, say } from './setup/console.mjs';
import { install } from './setup/steps.mjs';
import { checks, fixes } from './suites/checks.mjs';
import { runChecks } from './suites/run-checks.mjs';

await main(async () => {
  await install();
  const { passed, failed } = await runChecks(process.argv.includes('--fix') ? fixes : checks);
  say(`${passed} passed, ${failed} failed`);
  return failed ? 1 : 0;
});
