import { z } from '@hono/zod-openapi';
import { ROLLOUT_COMMANDS } from '../../workflows/messages.ts';
import { optional } from './optional.ts';
import { modelNameSchema, reasonSchema, timestampSchema, versionNumberSchema } from './parameters.ts';
import { approverRoleSchema, planOverridesSchema, planSchema, strategySchema } from './rollout-plan.ts';
import { snapshotSchema } from './rollout-snapshot.ts';

export const startRolloutSchema = z
  .strictObject({
    model: modelNameSchema,
    version: versionNumberSchema,
    strategy: optional(strategySchema),
    plan: optional(planOverridesSchema),
    reason: optional(reasonSchema),
  })
  .openapi('StartRollout');

export const startedSchema = z
  .strictObject({ workflow_id: z.string(), run_id: z.string() })
  .openapi('StartedWorkflow', { description: 'Runs durably from here on; look it up for its progress' });

export const startedRolloutSchema = z
  .strictObject({ rollout_id: z.string().nullable(), workflow_id: z.string(), run_id: z.string() })
  .openapi('StartedRollout', {
    description: 'It is open, and `GET /rollouts` shows it. `rollout_id` is null when no worker has taken it up yet',
  });

export const rolloutSchema = z
  .strictObject({
    id: z.string(),
    model: z.string(),
    candidate: z.int(),
    champion: z.int().nullable(),
    phase: z.string(),
    plan: planSchema,
    snapshot: snapshotSchema.nullable(),
    reason: z.string().nullable(),
    workflow_id: z.string(),
    run_id: z.string(),
    started_by: z.string(),
    started_at: timestampSchema,
    finished_at: timestampSchema.nullable(),
  })
  .openapi('Rollout');

export const rolloutListSchema = z.strictObject({ rollouts: z.array(rolloutSchema) });

const referenceSchema = z
  .string()
  .min(1)
  .max(100)
  .openapi({ example: 'churn', description: 'Id of a rollout, or a model' });

/** As they stand in a path. */
const COMMAND_PATHS = ['promote', 'pause', 'resume', 'freeze', 'skip-bake', 'abort', 'rollback'] as const;
export const commandParams = z.strictObject({
  rollout: referenceSchema,
  command: z.enum(COMMAND_PATHS).openapi({ example: 'pause' }),
});
export const rolloutParams = z.strictObject({ rollout: referenceSchema });
export const commandBodySchema = z.strictObject({ reason: optional(reasonSchema) }).openapi('RolloutCommand');

export const commandAnswerSchema = z
  .strictObject({ applied: z.enum(ROLLOUT_COMMANDS), status: snapshotSchema })
  .openapi('AppliedCommand');
/** A rollback with nothing running: a new rollout goes back to the version before. */
export const rollbackStartedSchema = z
  .strictObject({
    applied: z.literal('rollback'),
    status: z.null(),
    version: z.int(),
    rollout_id: z.string().nullable(),
    workflow_id: z.string(),
    run_id: z.string(),
  })
  .openapi('RollbackStarted');

export const approveBodySchema = z
  .strictObject({
    evidence_hash: z.string().min(1).max(200).openapi({
      example: '5f2b1c9a',
      description: '`snapshot.evidenceHash` of what was reviewed: refused when the evidence is another by now',
    }),
    role: optional(approverRoleSchema).openapi({ description: 'Default: the one role of the key' }),
    decision: optional(z.enum(['approve', 'reject'])),
    reason: optional(reasonSchema),
  })
  .openapi('RolloutApproval');

export const approvedSchema = z
  .strictObject({ applied: z.enum(['approve', 'reject']), status: snapshotSchema })
  .openapi('AppliedApproval');
