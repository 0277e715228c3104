import { readConfig, type Config } from '../../adapters/config.ts';
import { DomainError } from '../../domain/errors.ts';
import { openVaults, type OpenedVault } from '../../recovery/vault/open-vaults.ts';
import { UsageError } from '../errors.ts';
import type { BackupOptions } from './options.ts';

export interface OpenedTargets {
  readonly config: Config;
  readonly vaults: readonly [OpenedVault, ...OpenedVault[]];
}

/** Every configured target, or the one that is named. @throws UsageError */
export async function openTargets({ target }: BackupOptions): Promise<OpenedTargets> {
  const config = readConfig();
  try {
    return { config, vaults: await openVaults(config.backup, target) };
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'notFound') throw error;
    throw new UsageError(
      error.message,
      error.problems.map((problem) => ({ ...problem, field: '--target' })),
    );
  }
}
