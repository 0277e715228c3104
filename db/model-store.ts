import { asc, eq, sql } from 'drizzle-orm';
import { DomainError } from '../domain/errors.ts';
import { writeAudit } from './audit-store.ts';
import type { Database, Drizzle } from './connect.ts';
import type { ModelRow, ModelStore } from './ports.ts';
import { models } from './schema.ts';

/** Models of one installation; a list is read whole. */
const MODELS_MAX = 1_000;

const columns = {
  name: models.name,
  definition: models.definition,
  definitionDigest: models.definitionDigest,
  updatedAt: models.updatedAt,
};

export function createModelStore(database: Database): ModelStore {
  return {
    apply: (definition, digest, by) =>
      database.transact(async (tx): Promise<ModelRow> => {
        const { name } = definition;
        const [before] = await tx.select(columns).from(models).where(eq(models.name, name)).for('update');
        // Applying what is there already is no change, and no audit entry.
        if (before?.definitionDigest === digest) return before;
        const [row] = await tx
          .insert(models)
          .values({ name, definition, definitionDigest: digest })
          .onConflictDoUpdate({
            target: models.name,
            set: { definition, definitionDigest: digest, updatedAt: sql`now()` },
          })
          .returning(columns);
        if (row === undefined) throw new DomainError('internal', `Model ${name} was not stored`);
        const details = { digest, previousDigest: before?.definitionDigest ?? null };
        await writeAudit(tx, { actor: by, action: 'model.apply', subject: name, details });
        return row;
      }),
    find: (name) =>
      database.run(async (db) => {
        const [row] = await db.select(columns).from(models).where(eq(models.name, name));
        return row ?? null;
      }),
    list: () => database.run((db) => db.select(columns).from(models).orderBy(asc(models.name)).limit(MODELS_MAX)),
  };
}

/**
 * Serialises writers of one model until the transaction ends. Does not stop rows that refer to the model.
 * @throws DomainError `notFound`
 */
export async function lockModel(tx: Drizzle, name: string): Promise<void> {
  const rows = await tx.select({ name: models.name }).from(models).where(eq(models.name, name)).for('no key update');
  if (rows.length === 0) throw new DomainError('notFound', `There is no model ${name}`);
}
