import { z } from '@hono/zod-openapi';
import { DEFAULT_TIER, RATE_TIERS } from '../../domain/rate-tier.ts';
import { PERMISSIONS } from '../../domain/records.ts';
import { APPROVER_ROLES } from '../../domain/approver-role.ts';
import { timestampSchema } from './parameters.ts';
import { approverRoleSchema } from './rollout-plan.ts';
import { optional } from './optional.ts';

const permissionsSchema = z.array(z.enum(PERMISSIONS)).min(1).max(PERMISSIONS.length);
const tierSchema = z.enum(RATE_TIERS).openapi({
  description: 'Predicted rows an hour: free 100, basic 1,000, premium 10,000, enterprise 100,000, or unlimited',
});

export const createKeySchema = z
  .strictObject({
    name: z.string().trim().min(1).max(100).openapi({ example: 'crm' }),
    permissions: permissionsSchema.openapi({ example: ['predict'] }),
    tier: tierSchema.default(DEFAULT_TIER),
    roles: z
      .array(approverRoleSchema)
      .max(APPROVER_ROLES.length)
      .default([])
      .openapi({ description: 'In which its owner may approve steps of rollouts' }),
    expires_at: optional(z.iso.datetime({ offset: true }).nullable()),
  })
  .openapi('CreateKey');

const keyShape = {
  id: z.string(),
  name: z.string(),
  prefix: z.string().openapi({ example: 'sk_live_a1B2' }),
  permissions: permissionsSchema,
  tier: tierSchema,
  roles: z.array(approverRoleSchema),
};

export const createdKeySchema = z
  .strictObject({
    ...keyShape,
    expires_at: timestampSchema.nullable(),
    key: z.string().openapi({ description: 'Shown this once; stored nowhere' }),
  })
  .openapi('CreatedKey');

export const keyListSchema = z.strictObject({
  keys: z.array(
    z
      .strictObject({
        ...keyShape,
        created_at: timestampSchema,
        expires_at: timestampSchema.nullable(),
        revoked_at: timestampSchema.nullable(),
      })
      .openapi('Key'),
  ),
});

export const keyParams = z.strictObject({ id: z.string().min(1).max(100) });
