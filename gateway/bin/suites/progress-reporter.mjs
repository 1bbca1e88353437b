import { writeSync } from 'node:fs';

/** Where jest's parent listens. */
export const PROGRESS_DESCRIPTOR = 3;

/** Says that a test has ended: jest's own reporters speak only when a whole file has. */
export default class ProgressReporter {
  onTestCaseResult() {
    writeSync(PROGRESS_DESCRIPTOR, '.');
  }
}
