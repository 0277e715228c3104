/** Who may stream from a slot: one process at a time, and only where the server allows it. */
import { DomainError } from '../../domain/errors.ts';
import type { ReplicationConnection } from './replication-connection.ts';

/** SQLSTATE `object_in_use`. */
const IN_USE = '55006';

/** Asked before the stream begins, so that a second worker waits without a word. @throws DomainError that `isTaken` knows */
export async function requireFreeSlot(connection: ReplicationConnection, slot: string): Promise<void> {
  const [row] = await connection.command(
    `SELECT active::text AS active FROM pg_replication_slots WHERE slot_name = '${slot}'`,
  );
  if (row?.['active'] !== 'true') return;
  throw Object.assign(new DomainError('unavailable', `The slot ${slot} is in use`), { sqlState: IN_USE });
}

/** Somebody else streams from the slot. */
export function isTaken(error: unknown): boolean {
  return error instanceof DomainError && (error as { readonly sqlState?: string }).sqlState === IN_USE;
}

/** The database, not the target, says no. */
export function isForbidden(error: unknown): boolean {
  return error instanceof DomainError && error.code === 'refused' && error.problems[0]?.field === 'DATABASE_URL';
}

/** Of a target by its name: what it lacks of the log waits for it. */
export const slotOf = (target: string): string => `sluice_${target.replaceAll('-', '_')}`;

export interface ReplicationTerms {
  /** What the server keeps for a target that is away is bounded (`max_slot_wal_keep_size`). */
  readonly bounded: boolean;
}

/** Whether this user may replicate, and on what terms. @throws DomainError that `isForbidden` knows */
export async function readReplicationTerms(connection: ReplicationConnection): Promise<ReplicationTerms> {
  const [row] = await connection.command(`SELECT setting FROM pg_settings WHERE name = 'max_slot_wal_keep_size'`);
  return { bounded: row?.['setting'] !== undefined && row['setting'] !== '-1' };
}

/** Lets go of slots that nobody ships from any more: they would make the server keep its log. @returns their names */
export async function dropUnusedSlots(
  connection: ReplicationConnection,
  unused: (slot: string) => boolean,
): Promise<readonly string[]> {
  const rows = await connection.command(
    `SELECT slot_name::text AS slot FROM pg_replication_slots WHERE slot_type = 'physical' AND NOT active AND slot_name LIKE 'sluice\\_%'`,
  );
  const dropped: string[] = [];
  for (const { slot } of rows) {
    if (slot == null || !unused(slot)) continue;
    await connection.command(`DROP_REPLICATION_SLOT ${slot}`);
    dropped.push(slot);
  }
  return dropped;
}
