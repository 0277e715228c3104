import { z } from '@hono/zod-openapi';
import { VERSION_STATUSES } from '../../db/schema.ts';
import type { BatchLatency } from '../../models/doctor/examination.ts';
import type { Finding } from '../../models/doctor/finding.ts';
import { gateResultSchema } from './evaluation.ts';
import { modelNameSchema } from './parameters.ts';
import { signatureSchema } from './signature.ts';

const findingSchema = z
  .strictObject({
    check: z.string(),
    severity: z.enum(['info', 'warning', 'error']),
    message: z.string(),
    fix: z.string().nullable().openapi({ description: 'How to mend it, where something is to be done' }),
  })
  .openapi('ModelFinding');

const latencySchema = z
  .strictObject({ rows: z.int(), p50Ms: z.number(), p95Ms: z.number(), rowsPerSecond: z.number() })
  .openapi('BatchLatency') satisfies z.ZodType<BatchLatency>;

export const importedVersionSchema = z
  .strictObject({
    model: modelNameSchema,
    version: z.int(),
    status: z.enum(VERSION_STATUSES),
    created: z.boolean().openapi({ description: 'False when the same import had made the version before' }),
    artefact_digest: z.string(),
    artefact_bytes: z.int(),
    producer: z.string().openapi({ example: 'skl2onnx 1.19.1' }),
    opsets: z.string().openapi({ example: 'ai.onnx 17, ai.onnx.ml 3' }),
    signature: signatureSchema,
    findings: z.array(findingSchema),
    latency: z.array(latencySchema).openapi({ description: 'Time against batch size' }),
    threads: z.strictObject({ intraOp: z.int(), reason: z.string() }),
    gates: z.array(gateResultSchema),
  })
  .openapi('ImportedVersion');

export type ImportedVersionAnswer = z.output<typeof importedVersionSchema> & { readonly findings: readonly Finding[] };

const file = z.string().openapi({ format: 'binary' });

export const importFormSchema = z
  .object({
    model: file.openapi({ description: 'The ONNX file' }),
    signature: z.string().optional().openapi({ description: 'What the file does not say by itself, as YAML or JSON' }),
    samples: z.string().optional().openapi({
      description: 'Rows as JSON lines, with `label` and `probability` where they are known',
    }),
  })
  .openapi('ImportForm');

export const importBytesSchema = file;
