/** Names that people give to positions of the log, to come back to them. */
import { DomainError } from '../../domain/errors.ts';
import { formatLsn, parseLsn } from '../postgres/lsn.ts';
import { slotOf } from '../postgres/slot-owner.ts';
import type { RestorePoint } from '../postgres/wal-store.ts';
import { withClient } from '../restore/check-restored.ts';
import type { OpenedVault } from '../vault/open-vaults.ts';

/** PostgreSQL keeps 63 bytes; names are typed on command lines. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const ALLOWED = ['1 to 63 letters, digits, dots, dashes and underscores, beginning with a letter or digit'];

/** A point with the targets that know it; its log is there a second or two after it was made. */
export interface ListedPoint {
  readonly name: string;
  /** ISO 8601. */
  readonly at: string;
  readonly lsn: string;
  readonly timeline: number;
  readonly targets: readonly string[];
}

/** @throws DomainError `invalidInput` */
export function requirePointName(name: string): string {
  if (NAME.test(name)) return name;
  throw new DomainError('invalidInput', 'This cannot be the name of a restore point', [
    { field: 'name', message: `"${name.slice(0, 80)}" is not such a name`, allowed: ALLOWED },
  ]);
}

/** Newest first. */
export async function listPoints(vaults: readonly OpenedVault[]): Promise<readonly ListedPoint[]> {
  const found = new Map<string, ListedPoint>();
  for (const { name: target, vault } of vaults) {
    for (const systemId of await vault.systems()) {
      for (const point of await (await vault.wal(systemId)).points()) {
        const key = [systemId, point.timeline, point.lsn, point.name].join(' ');
        const known = found.get(key);
        found.set(key, { ...describe(point), targets: [...(known?.targets ?? []), target] });
      }
    }
  }
  return [...found.values()].sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0));
}

function describe({ name, atMs, lsn, timeline }: RestorePoint): Omit<ListedPoint, 'targets'> {
  return { name, at: new Date(atMs).toISOString(), lsn: formatLsn(lsn), timeline };
}

/**
 * Names the present position of the log, in the log itself and in every target that the log is shipped to.
 * @throws DomainError `invalidInput` (name), `conflict` (name taken), `refused` (no target gets the log, or the database
 * does not let this user)
 */
export async function createRestorePoint(
  vaults: readonly OpenedVault[],
  databaseUrl: string,
  name: string,
): Promise<ListedPoint> {
  requirePointName(name);
  const shipped = await shippedTo(vaults, databaseUrl);
  if (shipped.length === 0) {
    throw new DomainError('refused', 'A restore point is a position of the log, which is shipped to no target', [
      { field: 'SLUICE_BACKUP_LOG', message: 'no target has a replication slot', allowed: ['ship'] },
    ]);
  }
  // A restore stops at the first point of a name that it meets.
  const taken = (await listPoints(vaults)).find((point) => point.name === name);
  if (taken !== undefined)
    throw new DomainError('conflict', `There is a restore point ${name} already, of ${taken.at}`);
  const { systemId, ...point } = await markLog(databaseUrl, name);
  for (const { vault } of shipped) await (await vault.wal(systemId)).putPoint(point);
  return { ...describe(point), targets: shipped.map((one) => one.name) };
}

/** Targets whose replication slot is there: what they lack of the log waits on the server. */
async function shippedTo(vaults: readonly OpenedVault[], databaseUrl: string): Promise<readonly OpenedVault[]> {
  const slots = await withClient(databaseUrl, async (client) => {
    const { rows } = await client.query<{ slot: string }>(
      `select slot_name::text as slot from pg_replication_slots where slot_type = 'physical'`,
    );
    return new Set(rows.map(({ slot }) => slot));
  });
  return vaults.filter(({ name }) => slots.has(slotOf(name)));
}

async function markLog(databaseUrl: string, name: string): Promise<RestorePoint & { readonly systemId: string }> {
  try {
    return await withClient(databaseUrl, async (client) => {
      const { rows } = await client.query<{ lsn: string; file: string; system: string; at: Date }>(
        `select lsn::text, pg_walfile_name(lsn) as file, clock_timestamp() as at,
           (select system_identifier::text from pg_control_system()) as system
         from pg_create_restore_point($1) lsn`,
        [name],
      );
      const [row] = rows;
      if (row === undefined) throw new DomainError('unavailable', 'The database did not name the position of its log');
      // The record itself is not waited for; a commit is, and takes everything before it along.
      await client.query(`select pg_logical_emit_message(true, 'sluice', '')`).catch(() => undefined);
      const timeline = Number.parseInt(row.file.slice(0, 8), 16);
      return { name, timeline, lsn: parseLsn(row.lsn), atMs: row.at.getTime(), systemId: row.system };
    });
  } catch (error) {
    if ((error as { code?: string }).code !== '42501') throw error;
    throw new DomainError('refused', 'The database does not let this user make restore points', [
      {
        field: 'DATABASE_URL',
        message: 'needs the right to call pg_create_restore_point',
        allowed: ['grant execute on function pg_create_restore_point(text) to the user'],
      },
    ]);
  }
}
