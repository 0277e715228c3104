import { readConfig, type Config } from '../../adapters/config.ts';
import { openObjectStore } from '../../adapters/object-stores/open-object-store.ts';
import { loadVaultKeys, type VaultKeys } from '../../recovery/vault/vault-keys.ts';
import { createVaultTarget, type VaultTarget } from '../../recovery/vault/vault-target.ts';
import { UsageError } from '../errors.ts';
import type { BackupOptions } from './options.ts';

export interface OpenedTarget {
  readonly name: string;
  readonly vault: VaultTarget;
  readonly keys: VaultKeys;
  readonly config: Config;
}

/** Every configured target, or the one that is named. @throws UsageError */
export async function openTargets({
  target: wanted,
}: BackupOptions): Promise<readonly [OpenedTarget, ...OpenedTarget[]]> {
  const config = readConfig();
  const { targets, credentials, keys: settings } = config.backup;
  const keys = await loadVaultKeys(settings);
  const chosen = targets.filter((target) => wanted === undefined || target.name === wanted);
  const opened = await Promise.all(
    chosen.map(async (target) => {
      const vault = createVaultTarget(await openObjectStore(target, credentials), keys);
      return { name: target.name, vault, keys, config };
    }),
  );
  const [first, ...rest] = opened;
  if (first !== undefined) return [first, ...rest];
  throw new UsageError('There is no such backup target', [
    { field: '--target', message: 'is not configured', allowed: targets.map((target) => target.name) },
  ]);
}
