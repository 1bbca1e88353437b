/** Who may know whom: http and realtime stand on the mirror, the mirror on the backend's client, nothing points up. */
const gateway = '^gateway/src';

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'no-circle',
      severity: 'error',
      from: {},
      to: { circular: true, dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'backend-knows-nobody-above',
      severity: 'error',
      from: { path: `${gateway}/backend` },
      to: { path: `${gateway}/(mirror|http|realtime|cli)` },
    },
    {
      name: 'mirror-knows-nobody-above',
      severity: 'error',
      from: { path: `${gateway}/mirror` },
      to: { path: `${gateway}/(http|realtime|cli)` },
    },
    {
      name: 'edges-do-not-know-each-other',
      severity: 'error',
      from: { path: `${gateway}/(http|realtime)` },
      to: { path: `${gateway}/(http|realtime|cli)`, pathNot: `${gateway}/$1/` },
    },
    {
      name: 'command-line-is-an-ordinary-client',
      severity: 'error',
      from: { path: `${gateway}/cli` },
      to: { path: `${gateway}/(backend|mirror|http)/`, dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'only-main-wires',
      severity: 'error',
      from: { path: `${gateway}/(backend|mirror|http|realtime|cli)` },
      to: { path: `${gateway}/(main|app)\\.ts` },
    },
    {
      name: 'contract-stands-alone',
      severity: 'error',
      from: { path: '^openapi' },
      to: { path: '^(gateway|dashboard|tests)' },
    },
    {
      name: 'dashboard-talks-by-the-wire',
      severity: 'error',
      from: { path: '^dashboard' },
      to: { path: '^(gateway|tests|python-backend)' },
    },
    {
      name: 'no-dead-module',
      severity: 'error',
      from: {
        orphan: true,
        pathNot: ['\\.d\\.ts$', '\\.mjs$', 'main\\.tsx?$', 'vite-env'],
      },
      to: {},
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['/generated/', '/dist/'] },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'default', 'types'] },
  },
};
