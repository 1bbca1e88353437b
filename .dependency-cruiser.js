/** Dependencies point one way: routes → middleware → edge; realtime → edge; all → mirror → backend. */

/** @param {string} name @param {string} comment @param {string} from @param {string} to */
const forbid = (name, comment, from, to) => ({
  name,
  severity: 'error',
  comment,
  from: { path: from },
  to: { path: to },
});

const SRC = '^gateway/src';

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'no-circles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'resolvable', severity: 'error', from: { pathNot: '^dashboard' }, to: { couldNotResolve: true } },
    forbid(
      'backend-is-lowest',
      'talks to the backend, and knows nobody else',
      `${SRC}/backend`,
      `${SRC}/(mirror|database|edge|middleware|routes|realtime|app|gateway|main)`,
    ),
    forbid(
      'database-is-low',
      'opens databases, and knows no rows',
      `${SRC}/database`,
      `${SRC}/(mirror|backend|edge|middleware|routes|realtime|app|gateway|main)`,
    ),
    forbid(
      'mirror-below-servers',
      'what serves reads the mirror, never the other way',
      `${SRC}/mirror`,
      `${SRC}/(edge|middleware|routes|realtime|app|gateway|main)`,
    ),
    forbid(
      'edge-is-shared',
      'what requests and sockets have in common knows neither',
      `${SRC}/edge`,
      `${SRC}/(middleware|routes|realtime|app|gateway|main)`,
    ),
    forbid(
      'middleware-below-routes',
      'what every request passes knows no resource',
      `${SRC}/middleware`,
      `${SRC}/(routes|realtime|app|gateway|main)`,
    ),
    forbid(
      'requests-without-sockets',
      'requests are served without sockets',
      `${SRC}/routes`,
      `${SRC}/(realtime|app|gateway|main)`,
    ),
    forbid(
      'sockets-without-requests',
      'sockets are served without routes',
      `${SRC}/realtime`,
      `${SRC}/(middleware|routes|app|gateway|main)`,
    ),
    forbid(
      'rows-through-queries',
      'servers read through the mirror, never the tables',
      `${SRC}/(edge|middleware|routes|realtime)`,
      `${SRC}/generated`,
    ),
    forbid(
      'command-line-is-a-client',
      'an ordinary client: it has no way to the data but the API',
      `${SRC}/cli`,
      `${SRC}/(backend|database|mirror|edge|middleware|routes|realtime|app|main|gateway|generated)[./]`,
    ),
    forbid('contract-knows-nobody', 'shared by all', '^openapi', '^(gateway|dashboard|tests|prisma)'),
    forbid(
      'dashboard-apart',
      'the dashboard shares the contract alone',
      '^dashboard/src',
      '^(gateway|tests|prisma)',
    ),
    forbid(
      'no-tests-in-products',
      'tests use sources, not the other way',
      '^(gateway|dashboard|openapi)',
      '^tests',
    ),
  ],
  options: {
    doNotFollow: { path: ['node_modules', `${SRC}/generated`, '\\.d\\.ts$'] },
    exclude: { path: '^gateway/(dist|bin)' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
