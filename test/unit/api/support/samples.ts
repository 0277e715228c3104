/** One model with everything the routes show of it. */
import type { RolloutRow, VersionRow } from '../../../../db/ports.ts';
import type { ModelDefinition } from '../../../../domain/definition.ts';
import type { RolloutPlan } from '../../../../domain/rollout/plan.ts';
import type { RolloutSnapshot } from '../../../../domain/rollout/state.ts';
import type { Signature } from '../../../../domain/signature.ts';
import type { PredictOutcome, ServedModel } from '../../../../api/serving/contract.ts';

export const NOW_MS = Date.parse('2026-03-01T12:00:00.000Z');

const flag = { missing: 'flag', unknown: 'flag', outOfRange: 'flag' } as const;
const reject = { missing: 'reject', unknown: 'reject', outOfRange: 'reject' } as const;

export const signature: Signature = {
  features: [
    { name: 'contract', type: 'category', categories: ['monthly', 'yearly'], ...reject },
    { name: 'months', type: 'integer', min: 0, max: 72, ...reject },
    { name: 'charge', type: 'number', min: 10, max: 120, ...flag },
    { name: 'paperless', type: 'boolean', ...flag },
  ],
  entity: 'customer',
  target: { column: 'left', positive: 'yes', negative: 'no' },
  threshold: 0.5,
  risk: { medium: 0.3, high: 0.6 },
};

const canary: RolloutPlan = {
  strategy: 'canary',
  steps: [
    { weightPercent: 5, bakeTimeMs: 60_000 },
    { weightPercent: 100, bakeTimeMs: 0 },
  ],
  limits: { errorRateMax: 0.001, p95MsMax: 120 },
  minRequests: 100,
  observeEveryMs: 30_000,
  keepWarmMs: 3_600_000,
};

export const definition: ModelDefinition = {
  name: 'leavers',
  description: 'who leaves',
  data: { source: '/data/customers.csv', format: 'csv', delimiter: ',' },
  entity: 'customer',
  target: { column: 'left', positive: 'yes' },
  features: {},
  exclude: [],
  protected: [],
  policies: { missing: 'flag', unknown: 'reject', outOfRange: 'reject' },
  risk: { medium: 0.3, high: 0.6 },
  training: {
    algorithms: ['spline-logistic'],
    seed: 42,
    holdoutPercent: 20,
    folds: 5,
    threshold: 'accuracy',
  },
  gates: {
    quality: {},
    champion: { metric: 'auc', tolerance: 0.005 },
    latencyP95MsMax: 100,
    throughputRowsPerSecondMin: 1000,
  },
  rollout: { strategy: 'canary', canary, blueGreen: { ...canary, strategy: 'blue-green' } },
  retraining: { schedule: 'none', accuracyLossMax: 0.15, minSamples: 1000, daysBack: 30 },
};

export const evaluation = {
  auc: 0.85,
  prAuc: 0.66,
  logLoss: 0.41,
  accuracy: 0.81,
  brier: 0.13,
  ece: 0.02,
  rows: 1400,
  positives: 370,
  threshold: 0.5,
  confusion: { truePositive: 200, falsePositive: 96, trueNegative: 934, falseNegative: 170 },
};

export function version(number: number, status: VersionRow['status'] = 'accepted'): VersionRow {
  return {
    model: 'leavers',
    version: number,
    status,
    algorithm: 'spline-logistic',
    artefactDigest: 'a'.repeat(64),
    manifestDigest: 'b'.repeat(64),
    signature,
    evaluation,
    lineage: {
      dataDigest: 'c'.repeat(64),
      dataSource: '/data/customers.csv',
      dataRows: 7000,
      definitionDigest: 'd'.repeat(64),
      codeCommit: 'unknown',
      algorithm: 'spline-logistic',
      parameters: { penalty: 0.1 },
      seed: 42,
      crossValidation: { 'spline-logistic': 0.41 },
      workflowId: 'train/leavers',
      runId: 'run-1',
    },
    createdAt: new Date(NOW_MS - 86_400_000),
  };
}

export const ROLLOUT_ID = '6f1d9f0e-8f5b-4d7e-9a59-0c6f6e8f2b11';

export const snapshot: RolloutSnapshot = {
  rolloutId: ROLLOUT_ID,
  model: 'leavers',
  candidate: 2,
  champion: 1,
  plan: canary,
  phase: 'running',
  stepIndex: 0,
  weightPercent: 5,
  generation: 4,
  routes: [
    { variant: 'champion', version: 1, weightPercent: 95 },
    { variant: 'candidate', version: 2, weightPercent: 5 },
  ],
  verdict: null,
  explanation: { now: '5 % go to version 2', waitsFor: 'the bake time', next: '100 %' },
  startedAtMs: NOW_MS - 60_000,
  stepStartedAtMs: NOW_MS - 30_000,
  stepEndsAtMs: NOW_MS + 30_000,
  reason: null,
};

export function rollout(finishedAt: Date | null = null): RolloutRow {
  return {
    id: ROLLOUT_ID,
    model: 'leavers',
    candidate: 2,
    champion: 1,
    plan: canary,
    phase: finishedAt === null ? 'running' : 'promoted',
    snapshot: finishedAt === null ? snapshot : { ...snapshot, phase: 'promoted' },
    reason: null,
    workflowId: 'rollout/leavers',
    runId: 'run-2',
    startedBy: 'key:operator',
    startedAt: new Date(NOW_MS - 60_000),
    finishedAt,
  };
}

const counts = { requests: 10, errors: 0, slow: 1, latencySumMs: 12 };

export const served: ServedModel = {
  model: 'leavers',
  generation: 4,
  routes: [{ variant: 'champion', version: 1, weightPercent: 100, signature, counts }],
};

export const REQUEST_ID = '1b4e28ba-2fa1-4d3a-883f-0016d3cca427';

export const answered: Extract<PredictOutcome, { ok: true }> = {
  ok: true,
  requestId: REQUEST_ID,
  model: 'leavers',
  version: 1,
  variant: 'champion',
  probability: 0.71,
  label: 'yes',
  risk: 'high',
  threshold: 0.5,
  latencyMs: 0.43219,
  warnings: [],
};

export const row = { entity_id: 'c-1', features: { contract: 'monthly', months: 3, charge: 70.5, paperless: true } };
