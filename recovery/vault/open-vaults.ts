import type { BackupConfig } from '../../adapters/backup-config.ts';
import { openObjectStore } from '../../adapters/object-stores/open-object-store.ts';
import { DomainError } from '../../domain/errors.ts';
import { loadVaultKeys, type VaultKeys } from './vault-keys.ts';
import { createVaultTarget, type VaultTarget } from './vault-target.ts';

export interface OpenedVault {
  /** As configured. */
  readonly name: string;
  readonly vault: VaultTarget;
  readonly keys: VaultKeys;
}

/**
 * Every configured target, or the one that is named, in the order of the configuration.
 * @throws DomainError `notFound` with the names there are; `invalidInput` for keys that cannot be used
 */
export async function openVaults(
  { targets, credentials, keys: settings }: Pick<BackupConfig, 'targets' | 'credentials' | 'keys'>,
  wanted?: string,
): Promise<readonly [OpenedVault, ...OpenedVault[]]> {
  const chosen = chooseTargets(targets, wanted);
  const keys = await loadVaultKeys(settings);
  const opened = await Promise.all(
    chosen.map(async (target) => {
      const vault = createVaultTarget(await openObjectStore(target, credentials), keys, target.lockDays);
      return { name: target.name, vault, keys };
    }),
  );
  return opened as [OpenedVault, ...OpenedVault[]];
}

type Targets = BackupConfig['targets'];

/** @throws DomainError `notFound` with the names there are */
export function chooseTargets(targets: Targets, wanted?: string): readonly [Targets[number], ...Targets[number][]] {
  const [first, ...others] = targets.filter(({ name }) => wanted === undefined || name === wanted);
  if (first !== undefined) return [first, ...others];
  const what = wanted === undefined ? 'No backup target is configured' : `No backup target is called ${wanted}`;
  throw new DomainError('notFound', what, [
    { field: 'target', message: 'is not configured', allowed: targets.map(({ name }) => name) },
  ]);
}
