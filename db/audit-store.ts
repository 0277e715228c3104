import { desc, eq } from 'drizzle-orm';
import type { Database, Drizzle } from './connect.ts';
import type { AuditEntry, AuditStore } from './ports.ts';
import { auditLog } from './schema.ts';

/** Rows one list may return, whatever the caller asks. */
const LIST_MAX = 1_000;

export function createAuditStore(database: Database): AuditStore {
  return {
    write: (entry) =>
      database.run(async (db) => {
        await writeAudit(db, entry);
      }),
    list: ({ subject, limit }) =>
      database.run(async (db) => {
        const rows = await db
          .select()
          .from(auditLog)
          .where(subject === undefined ? undefined : eq(auditLog.subject, subject))
          .orderBy(desc(auditLog.at), desc(auditLog.id))
          .limit(Math.min(limit, LIST_MAX));
        return rows.map((row) => ({
          at: row.at,
          actor: row.actor,
          action: row.action,
          subject: row.subject,
          details: row.details,
          ...(row.reason === null ? {} : { reason: row.reason }),
          ...(row.changeId === null ? {} : { changeId: row.changeId }),
        }));
      }),
  };
}

/** Writes inside the caller's transaction. False when an entry with this `changeId` exists: the change was made before. */
export async function writeAudit(db: Drizzle, entry: AuditEntry): Promise<boolean> {
  const written = await db
    .insert(auditLog)
    .values({
      actor: entry.actor,
      action: entry.action,
      subject: entry.subject,
      reason: entry.reason ?? null,
      details: { ...entry.details },
      changeId: entry.changeId ?? null,
    })
    .onConflictDoNothing({ target: auditLog.changeId })
    .returning({ id: auditLog.id });
  return written.length > 0;
}
