import { randomUUID } from 'node:crypto';
import postgres from 'postgres';
import { createRegistry, type RegistryOptions } from '../../../db/create-registry.ts';
import { migrate } from '../../../db/migrate.ts';
import type { CountsRow, Registry, RolloutStore, RoutingChange, VersionRow, VersionStore } from '../../../db/ports.ts';
import type { ModelDefinition } from '../../../domain/definition.ts';
import type { Evaluation, Lineage, Performance } from '../../../domain/evaluation.ts';
import type { PredictionRecord } from '../../../domain/records.ts';
import type { RolloutPlan } from '../../../domain/rollout/plan.ts';
import type { RolloutSnapshot } from '../../../domain/rollout/state.ts';
import { createTestDatabase } from '../../setup/database.ts';
import { modelDefinition } from '../../support/model-definition.ts';

export interface TestRegistry {
  readonly registry: Registry;
  readonly databaseUrl: string;
  /** For looking at rows behind the ports. */
  readonly sql: postgres.Sql;
  /** Another process, as far as the database can tell. */
  another(options?: RegistryOptions): Registry;
  close(): Promise<void>;
}

/** A migrated database of its own. */
export async function openTestRegistry(options: RegistryOptions = {}): Promise<TestRegistry> {
  const database = await createTestDatabase();
  const { databaseUrl } = database;
  await migrate(databaseUrl);
  const opened = [createRegistry(databaseUrl, options)];
  const sql = postgres(databaseUrl, { max: 2, onnotice: () => undefined });
  return {
    registry: opened[0]!.registry,
    databaseUrl,
    sql,
    another: (own = {}) => {
      const more = createRegistry(databaseUrl, own);
      opened.push(more);
      return more.registry;
    },
    close: async () => {
      await Promise.all([...opened.map((o) => o.close()), sql.end()]);
      await database.drop();
    },
  };
}

const plan: RolloutPlan = {
  strategy: 'canary',
  steps: [
    { weightPercent: 10, bakeTimeMs: 60_000 },
    { weightPercent: 100, bakeTimeMs: 60_000 },
  ],
  limits: { errorRateMax: 0.05, p95MsMax: 50 },
  minRequests: 100,
  observeEveryMs: 10_000,
  keepWarmMs: 60_000,
};

export function definition(name: string, description = 'of a test'): ModelDefinition {
  return modelDefinition(name, plan, { description, features: { height: { min: 0, max: 3 } } });
}

export const evaluation: Evaluation = {
  auc: 0.8412345678901234,
  prAuc: 0.6,
  logLoss: 0.41,
  accuracy: 0.8,
  brier: 0.13,
  ece: 0.02,
  rows: 100,
  positives: 27,
  threshold: 0.5,
  confusion: { truePositive: 20, falsePositive: 10, trueNegative: 63, falseNegative: 7 },
};

const lineage: Lineage = {
  dataDigest: 'd'.repeat(64),
  dataSource: '/data/rows.csv',
  dataRows: 500,
  definitionDigest: 'e'.repeat(64),
  codeCommit: 'unknown',
  algorithm: 'spline-logistic',
  parameters: { knots: 5, ridge: 0.1, scaled: true, solver: 'irls' },
  seed: 1,
  crossValidation: { 'spline-logistic': 0.41 },
  workflowId: 'train/demo',
  runId: 'run',
};

export const performance: Performance = {
  singleRowP50Ms: 0.1,
  singleRowP95Ms: 0.2,
  rowsPerSecond: 50_000,
  artefactBytes: 10_000,
  runs: 200,
};

export function newVersion(model: string, registeredByRun: string): Parameters<VersionStore['register']>[0] {
  return {
    model,
    registeredByRun,
    algorithm: 'spline-logistic',
    artefactDigest: 'a'.repeat(64),
    manifestDigest: 'b'.repeat(64),
    signature: {
      features: [
        { name: 'height', type: 'number', min: 0, max: 3, missing: 'flag', unknown: 'reject', outOfRange: 'flag' },
      ],
      entity: 'id',
      target: { column: 'outcome', positive: 'yes', negative: 'no' },
      threshold: 0.5,
      risk: { medium: 0.3, high: 0.7 },
    },
    evaluation,
    lineage,
  };
}

/** A model with so many versions. */
export async function givenModel(registry: Registry, name: string, versions: number): Promise<readonly VersionRow[]> {
  await registry.models.apply(definition(name), `digest of ${name}`, 'test');
  const rows: VersionRow[] = [];
  for (let i = 1; i <= versions; i++) rows.push(await registry.versions.register(newVersion(name, `${name}-run-${i}`)));
  return rows;
}

export function routingChange(model: string, over: Partial<RoutingChange> = {}): RoutingChange {
  return {
    model,
    expectedGeneration: 0,
    changeId: randomUUID(),
    salt: 'salt',
    rolloutId: null,
    routes: [{ variant: 'champion', version: 1, weightPercent: 100 }],
    slowMs: 50,
    by: 'test',
    reason: 'a test',
    ...over,
  };
}

type NewRollout = Parameters<RolloutStore['open']>[0];
export function newRollout(model: string, over: Partial<NewRollout> = {}): NewRollout {
  return {
    id: randomUUID(),
    model,
    candidate: 2,
    champion: 1,
    plan,
    workflowId: `rollout/${model}`,
    runId: 'run',
    startedBy: 'somebody',
    reason: null,
    ...over,
  };
}

export function snapshotOf(rollout: NewRollout, over: Partial<RolloutSnapshot> = {}): RolloutSnapshot {
  return {
    rolloutId: rollout.id,
    model: rollout.model,
    candidate: rollout.candidate,
    champion: rollout.champion,
    plan,
    phase: 'running',
    stepIndex: 0,
    weightPercent: 10,
    generation: 2,
    routes: [],
    verdict: null,
    explanation: { now: 'a', waitsFor: 'b', next: 'c' },
    startedAtMs: 1,
    stepStartedAtMs: 1,
    stepEndsAtMs: null,
    reason: null,
    ...over,
  };
}

export function prediction(over: Partial<PredictionRecord> = {}): PredictionRecord {
  return {
    requestId: randomUUID(),
    model: 'demo',
    version: 1,
    variant: 'champion',
    rolloutId: null,
    entityId: null,
    features: { height: 1.75, colour: 'red', member: true, weight: null },
    probability: 0.123456789012345,
    label: 'no',
    risk: 'low',
    latencyMs: 1.25,
    createdAtMs: Date.now(),
    ...over,
  };
}

export function counts(over: Partial<CountsRow> = {}): CountsRow {
  return {
    instance: randomUUID(),
    sequence: 1,
    model: 'demo',
    rolloutId: null,
    variant: 'candidate',
    version: 2,
    windowStartMs: 1_750_000_000_000,
    requests: 10,
    errors: 1,
    slow: 2,
    latencySumMs: 12.5,
    ...over,
  };
}

/** How many of the calls succeeded, and the errors of the others. */
export async function race<T>(calls: readonly Promise<T>[]): Promise<{ won: readonly T[]; lost: readonly unknown[] }> {
  const results = await Promise.allSettled(calls);
  return {
    won: results.flatMap((r) => (r.status === 'fulfilled' ? [r.value] : [])),
    lost: results.flatMap((r): unknown[] => (r.status === 'rejected' ? [r.reason] : [])),
  };
}
