import { main, say } from './setup/console.mjs';
import { installForTests } from './setup/steps.mjs';
import { checks, fixes } from './suites/checks.mjs';
import { runChecks } from './suites/run-checks.mjs';

await main(async () => {
  await installForTests();
  const { passed, failed } = await runChecks(process.argv.includes('--fix') ? fixes : checks);
  say(`${passed} passed, ${failed} failed`);
  return failed ? 1 : 0;
});
