import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { readJest, readJunit } from '../../gateway/bin/suites/reports.mjs';

const directory = mkdtempSync(join(tmpdir(), 'reports-'));
afterAll(() => rmSync(directory, { recursive: true }));
const CRASHED = { passed: 0, failed: 1, skipped: 0 };

describe('the counts of a suite', () => {
  test.each<[string, (file: string) => object, string | null, object]>([
    ['no JUnit report', readJunit, null, CRASHED],
    [
      'errors in fixtures count as failures',
      readJunit,
      '<?xml version="1.0"?><testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="10" time="1.0"><testcase/></testsuite></testsuites>',
      { passed: 4, failed: 3, skipped: 3 },
    ],
    ['no jest report', readJest, null, CRASHED],
    [
      'a test file that does not load counts as a failure',
      readJest,
      '{"numPassedTests":5,"numFailedTests":1,"numRuntimeErrorTestSuites":1,"numPendingTests":1,"numTodoTests":0}',
      { passed: 5, failed: 2, skipped: 1 },
    ],
  ])('%s', (name, read, text, wanted) => {
    const file = join(directory, name);
    if (text !== null) writeFileSync(file, text);
    expect(read(file)).toEqual(wanted);
  });
});
