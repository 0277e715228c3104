import type { BackupConfig } from '../../adapters/backup-config.ts';
import type { RecoveryStore } from '../../db/recovery-store.ts';
import { DomainError } from '../../domain/errors.ts';
import { isSetId } from '../../domain/recovery/manifest.ts';
import { readBackupStatus } from '../../recovery/catalogue/backup-status.ts';
import { holdInAll } from '../../recovery/catalogue/keep-sets.ts';
import { holderOf, listSets, showSet } from '../../recovery/catalogue/list-sets.ts';
import { createRestorePoint, listPoints, requirePointName } from '../../recovery/catalogue/restore-points.ts';
import { chooseTargets, openVaults, type OpenedVault } from '../../recovery/vault/open-vaults.ts';
import type { BackupDesk } from './backup-desk.ts';

export interface BackupDeskOptions {
  readonly backup: Pick<BackupConfig, 'targets' | 'credentials' | 'keys'>;
  readonly home: string;
  readonly databaseUrl: string;
  readonly recovery: Pick<RecoveryStore, 'drills'>;
  readonly now: () => number;
}

/** The catalogue of the configured targets, opened for each call: nothing of a target is kept in the process. */
export function createBackupDesk(options: BackupDeskOptions): BackupDesk {
  const { backup, home, databaseUrl, recovery, now } = options;
  const within = async <T>(
    target: string | undefined,
    work: (vaults: readonly [OpenedVault, ...OpenedVault[]]) => Promise<T>,
  ): Promise<T> => {
    const vaults = await openVaults(backup, target);
    try {
      return await work(vaults);
    } catch (error) {
      throw ofTheTarget(error);
    } finally {
      await Promise.allSettled(vaults.map(({ vault }) => vault.store.close()));
    }
  };
  return {
    list: (target) => within(target, listSets),
    show: async (setId, target) => within(target, (vaults) => showSet(vaults, known(setId))),
    status: () => within(undefined, (vaults) => readBackupStatus(vaults, home, now())),
    holder: async (setId, target) => within(target, async (vaults) => (await holderOf(vaults, known(setId))).name),
    hold: async (setId, reason, target) => within(target, (vaults) => holdInAll(vaults, known(setId), reason)),
    points: () => within(undefined, listPoints),
    createPoint: async (name) => {
      requirePointName(name);
      return within(undefined, (vaults) => createRestorePoint(vaults, databaseUrl, name));
    },
    requireTarget: (target) => Promise.resolve(target).then((name) => chooseTargets(backup.targets, name)[0].name),
    drills: (limit) => recovery.drills(limit),
  };
}

function known(setId: string): string {
  if (isSetId(setId)) return setId;
  throw new DomainError('notFound', 'There is no backup set with this id; GET /backups lists them');
}

/** That the store does not let the platform in is no matter of the caller's key. */
function ofTheTarget(error: unknown): unknown {
  if (!(error instanceof DomainError) || error.code !== 'forbidden') return error;
  return new DomainError('unavailable', `The backup target refuses this platform: ${error.message}`, error.problems);
}
