import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { detailedHealthSchema } from '../../../api/schemas/health.ts';
import { createdKeySchema, keyListSchema } from '../../../api/schemas/keys.ts';
import { modelListSchema, modelSchema, versionListSchema, versionSchema } from '../../../api/schemas/models.ts';
import { auditListSchema, batchAnswerSchema, predictionSchema } from '../../../api/schemas/predictions.ts';
import {
  commandAnswerSchema,
  rollbackStartedSchema,
  rolloutListSchema,
  rolloutSchema,
  startedRolloutSchema,
} from '../../../api/schemas/rollouts.ts';
import { trainingSchema } from '../../../api/schemas/training.ts';
import * as answers from './support/answers.ts';

const MADE_AT = '2026-03-01T09:30:00.000Z';
const STARTED = { rollout_id: 'r2', workflow_id: 'rollout/churn', run_id: 'run-2' };
const PERFORMANCE = { singleRowP50Ms: 0.1, singleRowP95Ms: 0.2, rowsPerSecond: 9000, artefactBytes: 10, runs: 3 };

/** What the fake platform of these tests answers, beside the schema the API publishes for it. */
const ANSWERS: readonly (readonly [string, z.ZodType, unknown])[] = [
  ['GET /models', modelListSchema, { models: [answers.MODEL] }],
  [
    'GET /models/{model}',
    modelSchema,
    { ...answers.MODEL, definition: answers.DEFINITION, definition_digest: 'd', updated_at: MADE_AT },
  ],
  ['GET /models/{model}/versions', versionListSchema, { versions: [answers.version(1)] }],
  [
    'GET /models/{model}/versions/{version}',
    versionSchema,
    {
      model: 'churn',
      ...answers.version(1),
      signature: answers.SIGNATURE,
      gates: { passed: true, results: answers.GATES, performance: PERFORMANCE, created_at: MADE_AT },
    },
  ],
  [
    'GET /models/{model}/train',
    trainingSchema,
    {
      workflow_id: 'train/churn',
      run_id: 'r',
      status: 'completed',
      progress: null,
      result: answers.TRAINED,
      failure: null,
    },
  ],
  [
    'GET /models/{model}/train while it runs',
    trainingSchema,
    {
      workflow_id: 'train/churn',
      run_id: 'r',
      status: 'running',
      progress: {
        ...{ stage: 'train', done: 3, total: 7, message: 'training', startedAtMs: 1 },
        detail: { stage: 'cross-validation', done: 2, total: 5, message: 'fold 2 of 5' },
      },
      result: null,
      failure: null,
    },
  ],
  ['POST /rollouts', startedRolloutSchema, STARTED],
  ['GET /rollouts', rolloutListSchema, { rollouts: [answers.rollout()] }],
  ['GET /rollouts/{rollout}', rolloutSchema, answers.rollout({ phase: 'keepWarm' })],
  ['POST /rollouts/{rollout}/pause', commandAnswerSchema, { applied: 'pause', status: answers.snapshot() }],
  [
    'POST /rollouts/{rollout}/rollback',
    rollbackStartedSchema,
    { applied: 'rollback', status: null, version: 1, ...STARTED },
  ],
  ['POST /models/{model}/predict', predictionSchema, answers.PREDICTION],
  [
    'POST /predict/batch',
    batchAnswerSchema,
    {
      request_id: 'r',
      model: 'churn',
      predictions: [answers.PREDICTION, { error: 'invalidInput', problems: [] }],
      latency_ms: 1,
    },
  ],
  ['GET /health/detailed', detailedHealthSchema, answers.HEALTH],
  ['POST /keys', createdKeySchema, { ...answers.KEY, expires_at: null, key: 'sk_live_secret' }],
  ['GET /keys', keyListSchema, { keys: [{ ...answers.KEY, created_at: MADE_AT, expires_at: null, revoked_at: null }] }],
  ['GET /audit', auditListSchema, { entries: answers.AUDIT }],
];

describe('what the tests take for answers of the platform', () => {
  it.each(ANSWERS)('%s is as the API publishes it', (_route, schema, answer) => {
    const parsed = schema.safeParse(answer);
    expect(parsed.error?.issues ?? []).toEqual([]);
  });
});
