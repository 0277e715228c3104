import { z } from '@hono/zod-openapi';
import { ALGORITHMS } from '../../domain/definition.ts';
import type { DataReport } from '../../domain/evaluation.ts';
import { TRAIN_STAGES } from '../../workflows/messages.ts';
import type { TrainModelResult, TrainProgress, TrainStatus } from '../../workflows/messages.ts';
import { evaluationSchema, gateResultSchema } from './evaluation.ts';
import { strategySchema } from './rollout-plan.ts';
import { optional } from './optional.ts';

/** Of a 32-bit generator. */
const SEED_MAX = 2_147_483_647;

export const trainBodySchema = z
  .strictObject({
    seed: optional(z.int().min(0).max(SEED_MAX)),
    algorithms: optional(z.array(z.enum(ALGORITHMS)).min(1).max(ALGORITHMS.length)),
    rollout: optional(z.union([z.boolean(), z.strictObject({ strategy: strategySchema })])).openapi({
      description: 'Start a rollout when the gates pass',
    }),
  })
  .openapi('StartTraining');

const dataReportSchema = z.strictObject({
  rows: z.int(),
  columns: z.int(),
  positives: z.int(),
  findings: z.array(
    z.strictObject({
      check: z.enum(['schema', 'type', 'missing', 'range', 'duplicates', 'leakage', 'balance', 'constant', 'size']),
      severity: z.enum(['info', 'warning', 'error']),
      column: z.string().nullable(),
      message: z.string(),
      evidence: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
    }),
  ),
  ok: z.boolean(),
}) satisfies z.ZodType<DataReport>;

const finished = {
  model: z.string(),
  version: z.int(),
  algorithm: z.string(),
  artefactDigest: z.string(),
  evaluation: evaluationSchema,
  gates: z.array(gateResultSchema),
  rollout: z.string().nullable(),
};

const resultSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('accepted'), ...finished }),
  z.strictObject({ kind: z.literal('rejected'), ...finished }),
  z.strictObject({ kind: z.literal('dataInvalid'), model: z.string(), report: dataReportSchema }),
]) satisfies z.ZodType<TrainModelResult>;

const step = { done: z.number(), total: z.number(), message: z.string() };
const detailSchema = z.strictObject({ stage: z.string(), ...step }) satisfies z.ZodType<TrainProgress>;
const statusShape = { stage: z.enum(TRAIN_STAGES), ...step, startedAtMs: z.number() };
const statusSchema = z.strictObject(statusShape) satisfies z.ZodType<TrainStatus>;
const progressSchema = statusSchema.extend({ detail: detailSchema.nullable() });

export const trainingSchema = z
  .strictObject({
    workflow_id: z.string(),
    run_id: z.string().nullable(),
    status: z.enum(['running', 'completed', 'failed', 'none']),
    progress: progressSchema.nullable().openapi({
      description: 'While running: the stage, and in `detail` what the running step last reported',
    }),
    result: resultSchema.nullable(),
    failure: z.string().nullable(),
  })
  .openapi('Training');
