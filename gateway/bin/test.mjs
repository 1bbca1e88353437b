import { duration, main, SetupError, say } from './setup/console.mjs';
import { installForTests, root } from './setup/steps.mjs';
import { requireChromium } from './setup/toolchain.mjs';
import { suites } from './suites/suites.mjs';

// npm test                all suites
// npm test -- python      the named ones
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']))
  process.once(signal, () => process.exit(130));

await main(async () => {
  const names = process.argv.slice(2);
  const unknown = names.find((name) => !suites.some((suite) => suite.name === name));
  if (unknown)
    throw new SetupError(`no suite is called ${unknown}: ${suites.map(({ name }) => name).join(', ')}`);
  const chosen = suites.filter(({ name }) => names.length === 0 || names.includes(name));
  const started = performance.now();
  await installForTests();
  const env = chosen.some((suite) => suite.browser) ? { CHROMIUM: await requireChromium(root) } : {};
  const total = { passed: 0, failed: 0, skipped: 0 };
  /** @type {string[]} */
  const lines = [];
  for (const suite of chosen) {
    say(`\n── ${suite.name}: ${suite.about}`);
    const suiteStarted = performance.now();
    const counts = await suite.run(env);
    for (const key of /** @type {const} */ (['passed', 'failed', 'skipped'])) total[key] += counts[key];
    const skipped = counts.skipped ? `, ${counts.skipped} skipped` : '';
    const time = duration(performance.now() - suiteStarted);
    lines.push(
      `${suite.name.padEnd(8)} ${counts.passed} passed, ${counts.failed} failed${skipped} (${time})`,
    );
  }
  say(`\n${lines.join('\n')}\nin ${duration(performance.now() - started)}`);
  process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`);
  return total.failed ? 1 : 0;
});
