import { and, eq, gte, notInArray, sql } from 'drizzle-orm';
import type { Database } from './connect.ts';
import type { InstanceStore } from './rollout-ports.ts';
import { servingInstances } from './rollout-schema.ts';

/** API processes of one installation; more are cut off. */
const INSTANCES_MAX = 1_000;

export function createInstanceStore(database: Database): InstanceStore {
  return {
    report: (instance, rows) =>
      database.transact(async (tx) => {
        const named = rows.map((r) => r.model);
        const own = eq(servingInstances.instance, instance);
        const gone = named.length === 0 ? own : and(own, notInArray(servingInstances.model, named));
        await tx.delete(servingInstances).where(gone);
        if (rows.length === 0) return;
        await tx
          .insert(servingInstances)
          .values(rows.map(({ seenAtMs, ...row }) => ({ ...row, instance, seenAt: new Date(seenAtMs) })))
          .onConflictDoUpdate({
            target: [servingInstances.instance, servingInstances.model],
            set: {
              generation: sql`excluded.generation`,
              warmVersions: sql`excluded.warm_versions`,
              seenAt: sql`excluded.seen_at`,
            },
            // A late retry must not take back what a newer report said.
            setWhere: sql`excluded.seen_at >= ${servingInstances.seenAt}`,
          });
      }),
    serving: (model, sinceMs) =>
      database.run(async (db) => {
        const rows = await db
          .select()
          .from(servingInstances)
          .where(and(eq(servingInstances.model, model), gte(servingInstances.seenAt, new Date(sinceMs))))
          .limit(INSTANCES_MAX);
        return rows.map(({ seenAt, ...row }) => ({ ...row, seenAtMs: seenAt.getTime() }));
      }),
    leave: (instance) =>
      database.run(async (db) => {
        await db.delete(servingInstances).where(eq(servingInstances.instance, instance));
      }),
  };
}
