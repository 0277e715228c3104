import { and, asc, eq, isNull, sql } from 'drizzle-orm';
import { DomainError } from '../domain/errors.ts';
import { writeAudit } from './audit-store.ts';
import type { Database } from './connect.ts';
import { isUniqueViolation } from './failures.ts';
import type { KeyStore } from './ports.ts';
import { apiKeys } from './schema.ts';
import { isUuid } from './uuid.ts';

/** Every API process holds all keys in memory: a list is read whole. */
const KEYS_MAX = 10_000;

export function createKeyStore(database: Database): KeyStore {
  return {
    create: (row, by) =>
      database.transact(async (tx) => {
        const [stored] = await tx
          .insert(apiKeys)
          .values(row)
          .returning()
          .catch((error: unknown) => {
            if (!isUniqueViolation(error)) throw error;
            throw new DomainError('conflict', `There is a key with this id or this secret already (${row.id})`);
          });
        if (stored === undefined) throw new DomainError('internal', `Key ${row.id} was not stored`);
        // Neither the key nor its hash belongs in the audit.
        const { id, prefix, permissions, tier, roles } = stored;
        const details = { id, prefix, permissions, tier, roles };
        await writeAudit(tx, { actor: by, action: 'key.create', subject: row.name, details });
        return stored;
      }),
    list: () => database.run((db) => db.select().from(apiKeys).orderBy(asc(apiKeys.createdAt)).limit(KEYS_MAX)),
    /** True when the key exists, also when it was revoked before. */
    revoke: (id, by) =>
      database.transact(async (tx) => {
        if (!isUuid(id)) return false;
        const [revoked] = await tx
          .update(apiKeys)
          .set({ revokedAt: sql`now()` })
          .where(and(eq(apiKeys.id, id), isNull(apiKeys.revokedAt)))
          .returning({ name: apiKeys.name });
        if (revoked === undefined) {
          const [known] = await tx.select({ id: apiKeys.id }).from(apiKeys).where(eq(apiKeys.id, id));
          return known !== undefined;
        }
        await writeAudit(tx, { actor: by, action: 'key.revoke', subject: revoked.name, details: { id } });
        return true;
      }),
  };
}
