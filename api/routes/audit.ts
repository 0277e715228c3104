import { z } from '@hono/zod-openapi';
import type { Registry } from '../../db/ports.ts';
import { answerJson } from '../answers.ts';
import { defineOperation } from '../operation.ts';
import type { Operation } from '../operation.ts';
import { limitQuery } from '../schemas/parameters.ts';
import { optional } from '../schemas/optional.ts';
import { auditListSchema } from '../schemas/predictions.ts';

/** `GET /audit`. */
export function auditOperations({ registry }: { readonly registry: Pick<Registry, 'audit'> }): readonly Operation[] {
  return [
    defineOperation({
      id: 'listAudit',
      method: 'get',
      path: '/audit',
      tag: 'Operations',
      summary: 'List what was changed, by whom and why',
      description: 'Newest first.',
      permission: 'monitor',
      query: z.strictObject({
        subject: optional(z.string().min(1).max(200)).openapi({ example: 'churn' }),
        limit: limitQuery,
      }),
      answers: { 200: { description: 'The entries', schema: auditListSchema } },
      handle: async ({ c, query }) => {
        const entries = await registry.audit.list(query);
        return answerJson(c, 200, {
          entries: entries.map(({ at, actor, action, subject, reason, details }) => {
            return { at: at.toISOString(), actor, action, subject, reason: reason ?? null, details };
          }),
        });
      },
    }),
  ];
}
