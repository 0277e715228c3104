import { z } from '@hono/zod-openapi';
import { FEATURE_ENCODINGS, FEATURE_TYPES, VALUE_POLICIES } from '../../domain/signature.ts';
import type { Signature } from '../../domain/signature.ts';
import { optional } from './optional.ts';

const policySchema = z.enum(VALUE_POLICIES);

const featureSpecSchema = z.strictObject({
  name: z.string(),
  type: z.enum(FEATURE_TYPES),
  categories: optional(z.array(z.string())),
  encoding: optional(z.enum(FEATURE_ENCODINGS)),
  column: optional(z.int()),
  min: optional(z.number()),
  max: optional(z.number()),
  missing: policySchema,
  unknown: policySchema,
  outOfRange: policySchema,
});

export const signatureSchema = z
  .strictObject({
    features: z.array(featureSpecSchema),
    entity: z.string().nullable(),
    target: z.strictObject({ column: z.string(), positive: z.string(), negative: z.string() }),
    threshold: z.number(),
    risk: z.strictObject({ medium: z.number(), high: z.number() }),
  })
  .openapi('Signature', { description: 'What the version takes and gives' }) satisfies z.ZodType<Signature>;
