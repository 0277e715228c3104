import type { Context } from 'hono';
import type { AuditEntry, AuditStore } from '../db/ports.ts';
import type { AppEnv } from './app-env.ts';
import type { Log } from './log.ts';

/** Who did it, as the audit and the workflows name them. */
export function actorOf(c: Context<AppEnv>): string {
  return `key:${c.get('principal')?.name ?? 'none'}`;
}

/** Writes down what has happened already: a database that is away now must not turn a success into an error. */
export async function auditAfter(audit: Pick<AuditStore, 'write'>, log: Log, entry: AuditEntry): Promise<void> {
  try {
    await audit.write(entry);
  } catch (error) {
    log.error({ err: error, action: entry.action, subject: entry.subject, actor: entry.actor }, 'audit not written');
  }
}
