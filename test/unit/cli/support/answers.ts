import type { Evaluation, GateResult } from '../../../../domain/evaluation.ts';
import type { RolloutSnapshot } from '../../../../domain/rollout/state.ts';
import type { RolloutPlan } from '../../../../domain/rollout/plan.ts';

const PLAN: RolloutPlan = {
  strategy: 'canary',
  steps: [
    { weightPercent: 10, bakeTimeMs: 60_000 },
    { weightPercent: 50, bakeTimeMs: 120_000 },
    { weightPercent: 100, bakeTimeMs: 0 },
  ],
  limits: { errorRateMax: 0.001, p95MsMax: 120 },
  minRequests: 100,
  observeEveryMs: 5000,
  keepWarmMs: 60_000,
};

const EVALUATION: Evaluation = {
  auc: 0.8512,
  prAuc: 0.6612,
  logLoss: 0.4109,
  accuracy: 0.8061,
  brier: 0.1331,
  ece: 0.0123,
  rows: 1409,
  positives: 374,
  threshold: 0.4821,
  confusion: { truePositive: 200, falsePositive: 100, trueNegative: 935, falseNegative: 174 },
};

export const GATES: readonly GateResult[] = [
  {
    gate: 'quality.auc',
    passed: true,
    message: 'AUC 0.8512 is at least 0.83',
    evidence: { observed: 0.8512, min: 0.83 },
  },
  { gate: 'latency', passed: true, message: 'p95 0.4 ms is at most 100 ms', evidence: { p95Ms: 0.41, max: 100 } },
];

const LINEAGE = {
  dataDigest: 'd'.repeat(64),
  dataSource: '/data/customers.csv',
  dataRows: 7043,
  definitionDigest: 'e'.repeat(64),
  codeCommit: 'abc1234',
  algorithm: 'spline-logistic',
  parameters: { l2: 1 },
  seed: 42,
  crossValidation: { 'spline-logistic': 0.4111, 'gradient-boosting': 0.4119 },
  workflowId: 'train/churn',
  runId: 'run-1',
};

export const DEFINITION = {
  name: 'churn',
  description: 'Who leaves?',
  data: { source: '/data/customers.csv', format: 'csv', delimiter: ',' },
  entity: 'id',
  target: { column: 'left', positive: 'yes' },
  rollout: {
    strategy: 'canary',
    canary: PLAN,
    blueGreen: {
      ...PLAN,
      strategy: 'blue-green',
      steps: [
        { weightPercent: 50, bakeTimeMs: 9 },
        { weightPercent: 100, bakeTimeMs: 7 },
      ],
    },
  },
};

export const MODEL = {
  name: 'churn',
  description: 'Who leaves?',
  aliases: { champion: 1, candidate: 2 },
  versions: 2,
  routing: {
    generation: 7,
    routes: [
      { variant: 'champion', version: 1, weightPercent: 90 },
      { variant: 'candidate', version: 2, weightPercent: 10 },
    ],
  },
};

export const version = (number: number, more: object = {}) => ({
  version: number,
  status: 'accepted',
  algorithm: 'spline-logistic',
  artefact_digest: 'a'.repeat(64),
  evaluation: EVALUATION,
  created_at: '2026-03-01T09:30:00.000Z',
  aliases: [],
  lineage: LINEAGE,
  ...more,
});

export const SIGNATURE = {
  features: [
    { name: 'age', type: 'integer', min: 18, max: 95, missing: 'flag', unknown: 'reject', outOfRange: 'reject' },
    { name: 'price', type: 'number', min: 0, max: 10.5, missing: 'flag', unknown: 'reject', outOfRange: 'flag' },
    {
      name: 'plan',
      type: 'category',
      categories: ['basic', 'pro'],
      missing: 'reject',
      unknown: 'reject',
      outOfRange: 'reject',
    },
    { name: 'paperless', type: 'boolean', missing: 'flag', unknown: 'reject', outOfRange: 'reject' },
  ],
  entity: 'id',
  target: { column: 'left', positive: 'yes', negative: 'no' },
  threshold: 0.5,
  risk: { medium: 0.3, high: 0.6 },
};

export const PREDICTION = {
  request_id: '1b4e28ba-2fa1-4d3a-883f-0016d3cca427',
  model: 'churn',
  model_version: 1,
  variant: 'champion',
  probability: 0.7123,
  label: 'yes',
  risk: 'high',
  threshold: 0.5,
  latency_ms: 0.42,
  warnings: [] as object[],
};

export const ROLLOUT_ID = '01914f3c-3a55-4a2e-8f3a-0e4c1c6b9b42';

export function snapshot(more: Partial<RolloutSnapshot> = {}): RolloutSnapshot {
  return {
    rolloutId: ROLLOUT_ID,
    model: 'churn',
    candidate: 2,
    champion: 1,
    plan: PLAN,
    phase: 'running',
    stepIndex: 0,
    weightPercent: 10,
    generation: 7,
    routes: [
      { variant: 'champion', version: 1, weightPercent: 90 },
      { variant: 'candidate', version: 2, weightPercent: 10 },
    ],
    verdict: {
      kind: 'inconclusive',
      reason: 'not yet known: 0.05 % of 2000 requests failed (limit 0.1 %)',
      evidence: [
        { metric: 'errorRate', observed: 0.0005, limit: 0.001, eValue: 14.14213562373095, threshold: 200 },
        { metric: 'p95', observed: 0.01, limit: 0.05, eValue: 0.0001, threshold: 200 },
      ],
    },
    explanation: {
      now: 'version 2 answers 10 % of the requests (step 1 of 3)',
      waitsFor: '30 s of watching',
      next: 'version 2 answers 50 % of the requests',
    },
    startedAtMs: Date.parse('2026-03-01T09:30:00Z'),
    stepStartedAtMs: Date.parse('2026-03-01T09:30:01Z'),
    stepEndsAtMs: Date.parse('2026-03-01T09:31:01Z'),
    reason: 'step 1 of 3',
    ...more,
  };
}

export function rollout(more: Partial<RolloutSnapshot> = {}, row: object = {}) {
  const state = snapshot(more);
  return {
    id: ROLLOUT_ID,
    model: 'churn',
    candidate: 2,
    champion: 1,
    phase: state.phase,
    plan: PLAN,
    snapshot: state,
    reason: null,
    workflow_id: 'rollout/churn',
    run_id: 'run-2',
    started_by: 'first-key',
    started_at: '2026-03-01T09:30:00.000Z',
    finished_at: null,
    ...row,
  };
}

export const TRAINED = {
  kind: 'accepted',
  model: 'churn',
  version: 3,
  algorithm: 'spline-logistic',
  artefactDigest: 'a'.repeat(64),
  evaluation: EVALUATION,
  gates: GATES,
  rollout: null,
};

export const HEALTH = {
  status: 'ok',
  reasons: [],
  version: '0.1.0',
  node: 'v20.3.0',
  uptime_s: 100,
  memory_mb: 210,
  processes: [{ pid: 100, uptime_s: 100, memory_mb: 105, ready: true, reasons: [] }],
  process_crashes: 0,
  dependencies: { postgres: { status: 'up', latency_ms: 1.2, message: null } },
  models: [],
  records: { queued: 0, dropped: 0 },
  keys: { loaded: 1, age_ms: 10 },
};

export const KEY = {
  id: 'k1',
  name: 'shop',
  prefix: 'sk_live_a1B2',
  permissions: ['predict'],
  tier: 'basic',
  roles: [],
};

export const AUDIT = [
  { at: '2026-03-01T10:00:00Z', actor: 'sluice', action: 'version.alias', subject: 'churn', reason: null, details: {} },
  {
    at: '2026-03-01T09:00:00Z',
    actor: 'ann',
    action: 'routing.apply',
    subject: 'churn',
    reason: 'step 1 of 3',
    details: {},
  },
];
