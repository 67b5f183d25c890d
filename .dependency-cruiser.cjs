/** Imports go one way: base ← contract ← core ← runtime ← connectors ← pipeline ← hosts ← cli, services beside (DESIGN section 9). */
const layer = (name, from, allowed) => ({
  name,
  severity: 'error',
  from: { path: from, pathNot: '\\.test\\.ts$' },
  to: { path: '^(src|test|bench|infra)/', pathNot: allowed },
});
const CONTRACT = '^src/runtime/contract\\.ts$';

module.exports = {
  forbidden: [
    {
      name: 'no-circles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    layer('base-stands-alone', '^src/base/', '^src/base/'),
    layer('contract-needs-base-only', CONTRACT, '^src/base/'),
    layer('core-needs-the-contract-only', '^src/core/', `^src/(base|core)/|${CONTRACT}`),
    layer('runtime-knows-no-application', '^src/runtime/', '^src/(base|runtime)/'),
    layer('observing-knows-no-application', '^src/observe/', '^src/(base|observe)/'),
    layer('connectors-implement-ports', '^src/connectors/', '^src/(base|runtime|connectors)/'),
    layer('pipeline-is-pure', '^src/pipeline/', `^src/(base|core|pipeline)/|${CONTRACT}`),
    layer('services-stand-beside-the-application', '^src/services/', '^src/(base|core|observe|services)/'),
    layer(
      'hosts-do-not-know-the-command-line',
      '^src/hosts/',
      '^src/(base|core|observe|runtime|connectors|pipeline|services|hosts)/',
    ),
    layer(
      'infrastructure-knows-parameters-and-the-deployment-by-command-only',
      '^infra/',
      '^infra/|^src/base/|^src/pipeline/parameters\\.ts$',
    ),
    layer('cli-calls-inward', '^src/cli/', '^src/(base|observe|pipeline|hosts|cli)/'),
    {
      name: 'pure-parts-use-no-node-module',
      severity: 'error',
      from: { path: `^src/(base|core|pipeline)/|${CONTRACT}`, pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'pure-parts-do-not-wait',
      severity: 'error',
      from: { path: `^src/(core|pipeline)/|${CONTRACT}`, pathNot: '\\.test\\.ts$' },
      to: { path: '^src/base/(sleep|abort|signal|slots)\\.ts$' },
    },
    {
      name: 'graph-and-engine-know-no-telemetry',
      severity: 'error',
      from: { path: '^src/(base|core|runtime|pipeline)/', pathNot: '\\.test\\.ts$' },
      to: { path: 'node_modules/(@opentelemetry|pino|prom-client)' },
    },
    {
      name: 'no-dev-dependency-in-the-program',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: 'node_modules/@types' },
    },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default'] },
  },
};
