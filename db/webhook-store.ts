import { asc, eq, sql } from 'drizzle-orm';
import { DomainError } from '../domain/errors.ts';
import { writeAudit } from './audit-store.ts';
import type { Database } from './connect.ts';
import type { WebhookStore } from './rollout-ports.ts';
import { webhooks } from './rollout-schema.ts';
import { isUuid } from './uuid.ts';

/** Every notification goes to each of them. */
const WEBHOOKS_MAX = 100;

export function createWebhookStore(database: Database): WebhookStore {
  return {
    create: (row) =>
      database.transact(async (tx) => {
        const [count] = await tx.select({ n: sql<number>`count(*)::int` }).from(webhooks);
        if ((count?.n ?? 0) >= WEBHOOKS_MAX) {
          throw new DomainError('refused', `There are ${WEBHOOKS_MAX} webhooks already: remove one first`);
        }
        const [stored] = await tx.insert(webhooks).values(row).returning();
        if (stored === undefined) throw new DomainError('internal', `Webhook ${row.id} was not stored`);
        // Neither the address nor the secret belongs in the audit.
        const details = { id: row.id, format: row.format, events: row.events };
        await writeAudit(tx, { actor: row.createdBy, action: 'webhook.create', subject: row.target, details });
        return stored;
      }),
    list: () => database.run((db) => db.select().from(webhooks).orderBy(asc(webhooks.createdAt)).limit(WEBHOOKS_MAX)),
    find: (id) =>
      database.run(async (db) => {
        if (!isUuid(id)) return null;
        const [row] = await db.select().from(webhooks).where(eq(webhooks.id, id));
        return row ?? null;
      }),
    remove: (id, by) =>
      database.transact(async (tx) => {
        if (!isUuid(id)) return false;
        const [removed] = await tx.delete(webhooks).where(eq(webhooks.id, id)).returning({ target: webhooks.target });
        if (removed === undefined) return false;
        await writeAudit(tx, { actor: by, action: 'webhook.remove', subject: removed.target, details: { id } });
        return true;
      }),
    note: (id, outcome) =>
      database.run(async (db) => {
        await db
          .update(webhooks)
          .set({ lastAttemptAt: sql`now()`, lastOutcome: outcome })
          .where(eq(webhooks.id, id));
      }),
  };
}
