// The import rules of docs/architecture.md. `test`, `bench`, `cli` and the composition roots may import any room.
const room = (name) => `^${name}/`;
const only = (name, from, allowed, why) => ({
  name,
  comment: why,
  severity: 'error',
  from: { path: room(from) },
  to: { pathNot: [room(from), ...allowed], dependencyTypesNot: ['core'] },
});
const npm = '^node_modules/';

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'domain-is-pure',
      comment: 'domain imports nothing: no npm package, no node: module, no other room',
      severity: 'error',
      from: { path: room('domain') },
      to: { pathNot: room('domain') },
    },
    {
      name: 'workflows-are-deterministic',
      comment: 'workflows see domain and @temporalio/workflow; activities only as types',
      severity: 'error',
      from: { path: room('workflows') },
      to: {
        pathNot: [room('workflows'), room('domain'), '^node_modules/@temporalio/(workflow|common)'],
        dependencyTypesNot: ['type-only'],
      },
    },
    only('models-room', 'models', [room('domain'), npm], 'models imports domain only'),
    only('db-room', 'db', [room('domain'), npm], 'db imports domain only'),
    only('adapters-room', 'adapters', [room('domain'), npm], 'adapters imports domain only'),
    only(
      'activities-room',
      'activities',
      [room('domain'), room('db'), room('models'), room('adapters'), room('recovery'), npm],
      'activities never import workflows or api',
    ),
    only(
      'recovery-room',
      'recovery',
      [room('domain'), room('db'), room('models'), room('adapters'), room('infra'), npm],
      'recovery imports domain, db, models, adapters, and infra for servers to restore into; never workflows or api',
    ),
    {
      name: 'api-room',
      comment: 'api: domain, db, models, adapters, recovery, the workflow messages; other workflow files only as types',
      severity: 'error',
      from: { path: room('api') },
      to: {
        pathNot: [
          room('api'),
          room('domain'),
          room('db'),
          room('models'),
          room('adapters'),
          room('recovery'),
          '^workflows/(restore-)?messages\\.ts$',
          npm,
        ],
        dependencyTypesNot: ['core', 'type-only'],
      },
    },
    { name: 'workers-not-api', severity: 'error', from: { path: room('workers') }, to: { path: room('api') } },
    {
      name: 'models-no-temporal-no-hono',
      severity: 'error',
      from: { path: room('models') },
      to: { path: '^node_modules/(@temporalio|hono|@hono|drizzle-orm|postgres)/' },
    },
    {
      name: 'nobody-imports-tests',
      comment: 'benches make their models and their load with what the tests use',
      severity: 'error',
      from: { pathNot: [room('test'), room('bench')] },
      to: { path: room('test') },
    },
    {
      name: 'benches-import-support-only',
      severity: 'error',
      from: { path: room('bench') },
      to: { path: room('test'), pathNot: '^test/support/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    exclude: { path: '^(dist|\\.sluice)/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
