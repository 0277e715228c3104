import { DomainError } from '../../domain/errors.ts';
import { parseLsn, segmentStart, type Lsn } from './lsn.ts';
import type { ReplicationConnection } from './replication-connection.ts';
import { parseHistory } from './timelines.ts';
import type { WalPiece, WalStore } from './wal-store.ts';

export interface WalPosition {
  readonly systemId: string;
  readonly timeline: number;
  readonly segmentBytes: number;
  /** Start of a segment: streaming begins there. */
  readonly from: Lsn;
  /** Up to here the target has it already. */
  readonly shipped: Lsn;
  /** Pieces of the segment that streaming begins in. */
  readonly begun: readonly WalPiece[];
  /** The log between what the target has and `from` is gone from the server: only a new base backup helps. */
  readonly gap: boolean;
}

export interface Slot {
  readonly name: string;
  /** `null`: reserves nothing. */
  readonly restartLsn: Lsn | null;
}

/** Who the server is, and where it writes. */
async function identifySystem(
  connection: ReplicationConnection,
): Promise<{ systemId: string; timeline: number; flushLsn: Lsn; segmentBytes: number }> {
  const [system] = await connection.command('IDENTIFY_SYSTEM');
  const [size] = await connection.command(`SELECT setting FROM pg_settings WHERE name = 'wal_segment_size'`);
  if (system?.['systemid'] == null || system['xlogpos'] == null)
    throw new DomainError('unavailable', 'The database does not say which system it is');
  return {
    systemId: system['systemid'],
    timeline: Number(system['timeline']),
    flushLsn: parseLsn(system['xlogpos']),
    segmentBytes: Number(size?.['setting']),
  };
}

/** Finds or makes the slot that keeps the log from being removed. One that the server has given up is made anew. */
async function ensureSlot(connection: ReplicationConnection, name: string): Promise<Slot> {
  const find = () =>
    connection.command(`SELECT restart_lsn, wal_status FROM pg_replication_slots WHERE slot_name = '${name}'`);
  let [row] = await find();
  if (row?.['wal_status'] === 'lost') {
    await connection.command(`DROP_REPLICATION_SLOT ${name}`);
    row = undefined;
  }
  if (row === undefined) {
    await connection.command(`CREATE_REPLICATION_SLOT ${name} PHYSICAL RESERVE_WAL`);
    [row] = await find();
  }
  const restart = row?.['restart_lsn'];
  return { name, restartLsn: restart == null ? null : parseLsn(restart) };
}

/** Where to go on: what the target has decides, not what anybody remembers. */
export async function findPosition(
  connection: ReplicationConnection,
  store: WalStore,
  slotName: string,
): Promise<WalPosition & { slot: Slot }> {
  const { systemId, timeline, flushLsn, segmentBytes } = await identifySystem(connection);
  const slot = await ensureSlot(connection, slotName);
  const mine = (await store.pieces()).filter((piece) => piece.timeline === timeline);
  const had = mine.reduce<Lsn | null>((max, piece) => (max === null || piece.end > max ? piece.end : max), null);
  const wanted = had ?? (await beginningOf(connection, store, timeline)) ?? slot.restartLsn ?? flushLsn;
  const oldest = await oldestKept(connection, timeline);
  let from = segmentStart(wanted, segmentBytes);
  const gap = oldest !== null && from < oldest;
  if (gap) from = oldest;
  const shipped = had !== null && !gap && had > from ? had : from;
  const begun = mine.filter((piece) => piece.start >= from && piece.end <= shipped);
  return { systemId, timeline, segmentBytes, from, shipped, begun, gap: gap && had !== null, slot };
}

/** The position at which this timeline grew out of its parent, `null` for the first one. Ships its history. */
async function beginningOf(connection: ReplicationConnection, store: WalStore, timeline: number): Promise<Lsn | null> {
  if (timeline <= 1) return null;
  const [row] = await connection.command(`TIMELINE_HISTORY ${String(timeline)}`);
  const text = row?.['content'] ?? '';
  // Before any of its log: whoever restores sees that the number is taken.
  await store.putHistory(timeline, text);
  return parseHistory(text).at(-1)?.switchLsn ?? null;
}

/** Start of the oldest segment of this timeline that the server still has; `null` when it may not be asked. */
async function oldestKept(connection: ReplicationConnection, timeline: number): Promise<Lsn | null> {
  const prefix = timeline.toString(16).toUpperCase().padStart(8, '0');
  try {
    const [row] = await connection.command(
      `SELECT min(name) AS name FROM pg_ls_waldir() WHERE name ~ '^${prefix}[0-9A-F]{16}$'`,
    );
    const name = row?.['name'];
    if (name == null) return null;
    const [size] = await connection.command(`SELECT setting FROM pg_settings WHERE name = 'wal_segment_size'`);
    const bytes = BigInt(size?.['setting'] ?? 0);
    return BigInt(`0x${name.slice(8, 16)}`) * 0x1_0000_0000n + BigInt(`0x${name.slice(16, 24)}`) * bytes;
  } catch {
    // Needs pg_monitor: without it a removed segment shows itself when the stream starts.
    return null;
  }
}
