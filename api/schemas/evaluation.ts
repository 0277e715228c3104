import { z } from '@hono/zod-openapi';
import type { Evaluation, GateResult, Lineage, Performance } from '../../domain/evaluation.ts';

const count = z.int().min(0);
const share = z.number();
const evidenceSchema = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]));

export const evaluationSchema = z
  .strictObject({
    auc: share,
    prAuc: share,
    logLoss: z.number().openapi({ description: 'Nats' }),
    accuracy: share,
    brier: share,
    ece: share.openapi({ description: 'Expected calibration error over 10 bins of equal width' }),
    rows: count,
    positives: count,
    threshold: share,
    confusion: z.strictObject({ truePositive: count, falsePositive: count, trueNegative: count, falseNegative: count }),
  })
  .openapi('Evaluation', { description: 'Quality on the held-out rows' }) satisfies z.ZodType<Evaluation>;

export const gateResultSchema = z
  .strictObject({ gate: z.string(), passed: z.boolean(), message: z.string(), evidence: evidenceSchema })
  .openapi('GateResult') satisfies z.ZodType<GateResult>;

export const performanceSchema = z
  .strictObject({
    singleRowP50Ms: z.number(),
    singleRowP95Ms: z.number(),
    rowsPerSecond: z.number(),
    artefactBytes: count,
    runs: count,
  })
  .openapi('Performance', { description: 'Measured in a process of its own' }) satisfies z.ZodType<Performance>;

export const lineageSchema = z
  .strictObject({
    dataDigest: z.string(),
    dataSource: z.string(),
    dataRows: count,
    definitionDigest: z.string(),
    codeCommit: z.string(),
    algorithm: z.string(),
    parameters: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    seed: z.int(),
    crossValidation: z.record(z.string(), z.number()),
    workflowId: z.string(),
    runId: z.string(),
  })
  .openapi('Lineage', { description: 'What made the version' }) satisfies z.ZodType<Lineage>;
