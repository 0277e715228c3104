import { eq, sql } from 'drizzle-orm';
import { writeAudit } from './audit-store.ts';
import type { Database } from './connect.ts';
import { DomainError } from '../domain/errors.ts';
import { platformEpoch } from './recovery-schema.ts';

export interface RegionState {
  /** `null`: this database belongs to no group of regions. */
  readonly region: string | null;
  /** Epoch of the platform, which grows with restores too. */
  readonly platformEpoch: number;
  /** The lease as this database knows it; `null`: none since the server started. */
  readonly lease: {
    readonly region: string;
    readonly epoch: number;
    readonly validForMs: number;
  } | null;
}

/** The lease of a region in its own database, where every control write looks at it. May reject with `unavailable`. */
export interface RegionStore {
  state(): Promise<RegionState>;
  /**
   * What a control write asks before it begins; its transaction asks again, and decides.
   * @throws DomainError `fenced` naming the region that owns the epoch, `unavailable` when the lease does not run now
   */
  requireLease(): Promise<void>;
  /** By the clock that decides, epoch ms; and where the log ends. */
  now(): Promise<{ readonly atMs: number; readonly lsn: string }>;
  /** The database serves in this region from now on: control writes need its lease. Again: nothing. */
  join(region: string): Promise<void>;
  /** The database goes on alone. */
  leave(by: string, reason: string): Promise<void>;
  grant(lease: { readonly region: string; readonly epoch: number }, untilMs: number): Promise<void>;
  /** No control write is taken from now on, and none is under way any more. @returns where the log ends */
  revoke(owner: { readonly region: string; readonly epoch: number }): Promise<string>;
}

export function createRegionStore(database: Database): RegionStore {
  // A grant that a process sent before it died, and that arrives after a revocation for a later owner, changes nothing.
  const put = (region: string, epoch: number, until: string) => sql`
    insert into region_lease (id, region, epoch, valid_until) values (1, ${region}, ${epoch}, ${until}::timestamptz)
    on conflict (id) do update set region = excluded.region, epoch = excluded.epoch, valid_until = excluded.valid_until
    where region_lease.epoch <= excluded.epoch`;
  const state = (): Promise<RegionState> =>
    database.run(async (db) => {
      const found = await db.execute(sql`
          select e.region, e.epoch as platform_epoch, l.region as holder, l.epoch,
            (extract(epoch from greatest(l.valid_until, 'epoch') - clock_timestamp()) * 1000)::float8 as valid_for_ms
          from platform_epoch e left join region_lease l on l.id = 1 where e.id = 1`);
      const row = found.rows[0] ?? {};
      const holder = row['holder'] as string | null | undefined;
      return {
        region: (row['region'] as string | null | undefined) ?? null,
        platformEpoch: Number(row['platform_epoch']),
        lease:
          holder == null
            ? null
            : { region: holder, epoch: Number(row['epoch']), validForMs: Math.max(0, Number(row['valid_for_ms'])) },
      };
    });
  return {
    state,
    requireLease: async () => requireLease(await state()),
    now: () =>
      database.run(async (db) => {
        const found = await db.execute(sql`
          select (extract(epoch from clock_timestamp()) * 1000)::float8 as at_ms, pg_current_wal_flush_lsn()::text as lsn`);
        return { atMs: Number(found.rows[0]?.['at_ms']), lsn: String(found.rows[0]?.['lsn']) };
      }),
    join: (region) =>
      database.run(async (db) => {
        await db
          .update(platformEpoch)
          .set({ region })
          .where(sql`${platformEpoch.region} is distinct from ${region}`);
      }),
    leave: (by, reason) =>
      database.transact(async (tx) => {
        await tx.update(platformEpoch).set({ region: null }).where(eq(platformEpoch.id, 1));
        await writeAudit(tx, { actor: by, action: 'region.leave', subject: 'platform', reason, details: {} });
      }),
    grant: ({ region, epoch }, untilMs) =>
      database.run(async (db) => {
        await db.execute(put(region, epoch, new Date(untilMs).toISOString()));
      }),
    revoke: ({ region, epoch }) =>
      database.transact(async (tx) => {
        // Writers share the lock on this row until they end.
        await tx.select().from(platformEpoch).where(eq(platformEpoch.id, 1)).for('update');
        await tx.execute(put(region, epoch, '-infinity'));
        const found = await tx.execute(sql`select pg_current_wal_flush_lsn()::text as lsn`);
        return String(found.rows[0]?.['lsn']);
      }),
  };
}

const LEASE_RETRY_SECONDS = 2;

function requireLease({ region, lease }: RegionState): void {
  if (region === null) return;
  if (lease !== null && lease.region !== region) {
    const { region: owner, epoch } = lease;
    throw new DomainError(
      'fenced',
      `Region ${owner} owns epoch ${epoch}, not region ${region}: send control writes to region ${owner}, or let region ${region} take over (\`sluice region follow\`, then \`sluice region failover\`)`,
      [{ field: 'region', message: `${region} takes no control writes`, allowed: [owner] }],
    );
  }
  if (lease !== null && lease.validForMs > 0) return;
  throw new DomainError(
    'unavailable',
    `Region ${region} does not hold the lease now, and nobody takes control writes (\`sluice region status\` tells why)`,
    [],
    LEASE_RETRY_SECONDS,
  );
}
