import { duration, main, say } from './setup/console.mjs';
import { setUp } from './setup/steps.mjs';
import { parseFaults, runFaults } from './suites/faults.mjs';

// npm run test:faults                                    every part
// npm run test:faults -- kills --kills 60 --seed 7       one, with a count and a seed of its own
// npm run test:faults -- kills --seed 7 --case 3         one case of it again
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']))
  process.once(signal, () => process.exit(130));

await main(async () => {
  const asked = parseFaults(process.argv.slice(2));
  const started = performance.now();
  await setUp();
  const { passed, failed } = await runFaults(asked);
  say(`in ${duration(performance.now() - started)}`);
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  return failed ? 1 : 0;
});
