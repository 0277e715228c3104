/** What goes to the targets between two sets: the write-ahead log second by second, new artefacts every minute. */
import type { BackupDeps } from '../activities/backup-activities.ts';
import type { Config } from '../adapters/config.ts';
import type { Logger } from '../adapters/logger.ts';
import type { ObjectStore } from '../adapters/object-stores/object-store.ts';
import type { BackupTarget } from '../adapters/object-stores/parse-target.ts';
import { lockEnd } from '../domain/recovery/lock.ts';
import type { LogState } from '../domain/recovery/log-state.ts';
import { connectReplication, type ReplicationConnection } from '../recovery/postgres/replication-connection.ts';
import { createWalShipper, type WalShipper } from '../recovery/postgres/ship-wal.ts';
import {
  dropUnusedSlots,
  isForbidden,
  readReplicationTerms,
  slotOf,
  type ReplicationTerms,
} from '../recovery/postgres/slot-owner.ts';
import { copyArtefacts } from '../recovery/vault/copy-artefacts.ts';
import { readReferences } from '../recovery/vault/stage-database.ts';

/** A version registered a minute ago can be restored. */
const ARTEFACTS_EVERY_MS = 60_000;

async function withReplication<T>(databaseUrl: string, work: (on: ReplicationConnection) => Promise<T>): Promise<T> {
  const connection = await connectReplication(databaseUrl, 'sluice-backups');
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

/** Asks once at the start, so that one line says what a database without replication means. */
export async function askForReplication(databaseUrl: string, log: Logger): Promise<ReplicationTerms | 'forbidden'> {
  try {
    return await withReplication(databaseUrl, readReplicationTerms);
  } catch (error) {
    if (!isForbidden(error)) throw error;
    log.warn(
      { reason: (error as Error).message },
      'backups are logical copies, each of which restores to its own moment only, and the log is not shipped: the database allows this user no replication. Grant REPLICATION and start again, or take backups more often with SLUICE_BACKUP_SCHEDULE',
    );
    return 'forbidden';
  }
}

export interface ShippingOptions {
  readonly config: Pick<Config, 'backup'>;
  readonly databaseUrl: string;
  readonly deps: BackupDeps;
  readonly terms: ReplicationTerms | 'forbidden';
  readonly log: Logger;
  /** By target; filled here. */
  readonly shippers: Map<string, WalShipper>;
  /** Hears what becomes of the log, at the start and when the database takes the right to replicate away later. */
  readonly onLogState: (state: LogState) => void;
}

export async function startShipping(options: ShippingOptions, stopped: AbortSignal): Promise<void> {
  const { config, databaseUrl, deps, terms, log, shippers, onLogState } = options;
  const state = wantedState(config.backup.shipLog, terms, log);
  onLogState(state);
  if (terms === 'forbidden') return;
  const targets = state === 'shipped' ? await deps.targets() : new Map<string, never>();
  await dropSlots(options, new Set([...targets.keys()].map(slotOf)));
  for (const [name, { target, vault }] of targets) {
    if (stopped.aborted) return;
    const shipper = createWalShipper({
      databaseUrl,
      slot: slotOf(name),
      openStore: (systemId) => vault.wal(systemId),
      log,
    });
    shippers.set(name, shipper);
    shipper.run(stopped).then(
      // It ends early where the database says no, and nowhere else.
      () => stopped.aborted || onLogState('refused'),
      (error: unknown) => {
        onLogState('failed');
        log.error({ err: error, target: name }, 'the log is not shipped');
      },
    );
    shipArtefacts(target, vault.store, deps, log, stopped);
  }
}

function wantedState(wish: Config['backup']['shipLog'], terms: ShippingOptions['terms'], log: Logger): LogState {
  if (wish === 'off') return 'off';
  if (terms === 'forbidden') return 'refused';
  if (terms.bounded || wish === 'always') return 'shipped';
  log.warn(
    {},
    'the write-ahead log is not shipped: while a target is away this database would keep it without a bound. Set max_slot_wal_keep_size on the server, or SLUICE_BACKUP_LOG=ship',
  );
  return 'unbounded';
}

/** Those of targets that are configured here and not shipped to: another platform's slots on the server are its own. */
async function dropSlots({ config, databaseUrl, log }: ShippingOptions, used: ReadonlySet<string>): Promise<void> {
  const own = new Set(['sluice_folder', ...config.backup.targets.map(({ name }) => slotOf(name))]);
  const unused = (slot: string): boolean => own.has(slot) && !used.has(slot);
  const dropped = await withReplication(databaseUrl, (on) => dropUnusedSlots(on, unused)).catch((error: unknown) => {
    log.warn({ err: error }, 'slots that are not used any more stay');
    return [];
  });
  if (dropped.length > 0) log.info({ slots: dropped }, 'the log is not kept for these targets any more');
}

function shipArtefacts(
  { name, lockDays }: BackupTarget,
  store: ObjectStore,
  deps: BackupDeps,
  log: Logger,
  signal: AbortSignal,
): void {
  let shipped = '';
  const ship = async (): Promise<void> => {
    const { digests } = await readReferences(deps);
    const all = digests.join();
    // Asking a store for its list each minute costs money: only when there is something new.
    if (all === shipped) return;
    const { recipients } = await deps.keys();
    const lockUntil = lockEnd(lockDays, Date.now());
    await copyArtefacts({ store, artefacts: deps.artefacts, digests, recipients, signal, lockUntil });
    shipped = all;
  };
  let underWay = false;
  const timer = setInterval(() => {
    if (underWay) return;
    underWay = true;
    ship()
      .catch((error: unknown) => {
        if (!signal.aborted)
          log.warn({ err: error, target: name }, 'new artefacts were not shipped, trying again in a minute');
      })
      .finally(() => {
        underWay = false;
      });
  }, ARTEFACTS_EVERY_MS);
  timer.unref();
  signal.addEventListener('abort', () => clearInterval(timer));
}
