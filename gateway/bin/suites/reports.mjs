import { existsSync, readFileSync } from 'node:fs';

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/** A suite that ends without its report has failed, whatever it printed. @type {Counts} */
const CRASHED = { passed: 0, failed: 1, skipped: 0 };

/** Counts in a JUnit XML file, as pytest writes it. @param {string} file @returns {Counts} */
export function readJunit(file) {
  if (!existsSync(file)) return CRASHED;
  const text = readFileSync(file, 'utf8');
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const [suite] of text.matchAll(/<testsuite [^>]*>/g)) {
    /** @param {string} name */
    const attribute = (name) => Number(new RegExp(` ${name}="(\\d+)"`).exec(suite)?.[1] ?? 0);
    const failed = attribute('failures') + attribute('errors');
    counts.failed += failed;
    counts.skipped += attribute('skipped');
    counts.passed += attribute('tests') - failed - attribute('skipped');
  }
  return counts;
}

/** Counts in the file that jest --json writes; a test file that does not load counts as one failure. @param {string} file @returns {Counts} */
export function readJest(file) {
  if (!existsSync(file)) return CRASHED;
  const report = JSON.parse(readFileSync(file, 'utf8'));
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + report.numRuntimeErrorTestSuites,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}
