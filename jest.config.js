// For every backend that a test starts. One thread, no yielding: on a busy machine threads that wait for each other
// cost more than they bring, and a test would wait for a worker that yields to everything else.
process.env.AGENT_FORGE_THREADS ??= '1';
process.env.AGENT_FORGE_NICE ??= '0';

/** @type {import('jest').Config} */
export default {
  rootDir: '.',
  roots: ['<rootDir>/tests'],
  testMatch: ['**/*.test.ts'],
  // `*.server.test.ts` need a PostgreSQL server: they are the suite that TEST_DATABASE_URL chooses.
  testPathIgnorePatterns: process.env.TEST_DATABASE_URL ? [] : ['\\.server\\.test\\.ts$'],
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          parser: { syntax: 'typescript' },
          target: 'es2022',
          experimental: { keepImportAttributes: true },
        },
        module: { type: 'es6' },
      },
    ],
  },
  // A limit on hanging, not on speed: the stack (database, Python, torch) starts for real in several suites, on machines
  // that are busy with other work. Below the silence after which gateway/bin/suites/watch.mjs ends a suite.
  testTimeout: 1_200_000,
};
