import { and, asc, eq, gte, isNull, or, sql } from 'drizzle-orm';
import { writeAudit } from './audit-store.ts';
import type { Database } from './connect.ts';
import type { ControlState, ControlStore } from './rollout-ports.ts';
import { platformControls, rolloutTriggers } from './rollout-schema.ts';

/** Of one rollout's time: the first already sends it back. */
const TRIGGERS_MAX = 100;
const UNTOUCHED: ControlState = { active: false, by: 'platform', reason: 'never set', at: null };

export function createControlStore(database: Database): ControlStore {
  return {
    stopTheLine: () =>
      database.run(async (db) => {
        const [row] = await db.select().from(platformControls).where(eq(platformControls.name, 'stopTheLine'));
        return row === undefined ? UNTOUCHED : { active: row.active, by: row.setBy, reason: row.reason, at: row.setAt };
      }),
    setStopTheLine: (active, by, reason) =>
      database.transact(async (tx) => {
        const values = { active, setBy: by, reason };
        const [row] = await tx
          .insert(platformControls)
          .values({ name: 'stopTheLine', ...values })
          .onConflictDoUpdate({ target: platformControls.name, set: { ...values, setAt: sql`now()` } })
          .returning({ at: platformControls.setAt });
        const action = active ? 'stopTheLine.on' : 'stopTheLine.off';
        await writeAudit(tx, { actor: by, action, subject: 'platform', reason, details: {} });
        return { active, by, reason, at: row?.at ?? null };
      }),
    raise: ({ id, model, kind, reason, by }) =>
      database.transact(async (tx) => {
        await tx.insert(rolloutTriggers).values({ id, model, kind, reason, raisedBy: by }).onConflictDoNothing();
        const entry = { actor: by, action: `trigger.${kind}`, subject: model ?? 'platform', reason, details: { id } };
        await writeAudit(tx, { ...entry, changeId: `trigger/${id}` });
      }),
    triggers: (model, sinceMs) =>
      database.run(async (db) => {
        const concerns = or(isNull(rolloutTriggers.model), eq(rolloutTriggers.model, model));
        const rows = await db
          .select()
          .from(rolloutTriggers)
          .where(and(concerns, gte(rolloutTriggers.raisedAt, new Date(sinceMs))))
          .orderBy(asc(rolloutTriggers.raisedAt))
          .limit(TRIGGERS_MAX);
        return rows.map(({ raisedBy: by, raisedAt, ...row }) => ({ ...row, by, atMs: raisedAt.getTime() }));
      }),
  };
}
