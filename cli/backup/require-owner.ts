import type { RegionConfig } from '../../adapters/region-config.ts';
import { DomainError } from '../../domain/errors.ts';
import { readRegionHome } from '../../recovery/region/region-home.ts';
import { createRegionObjects } from '../../recovery/region/region-objects.ts';
import type { OpenedVault } from '../../recovery/vault/open-vaults.ts';

/**
 * What regions share is the owner's to prune: its retention knows what the other one follows.
 * @throws DomainError `fenced`
 */
export async function requireOwner(
  { region, target }: Pick<RegionConfig, 'region' | 'target'>,
  home: string,
  vaults: readonly Pick<OpenedVault, 'name' | 'vault' | 'keys'>[],
): Promise<void> {
  const shared = vaults.find(({ name }) => name === target);
  if (shared === undefined) return;
  const claim = await createRegionObjects(shared.vault.store, shared.keys).newestClaim();
  if (claim === null || claim.holder === readRegionHome(home)?.holder) return;
  throw new DomainError(
    'fenced',
    `Region ${claim.region} owns epoch ${claim.epoch}, not region ${region}: prune there, or name a target of this region alone with --target`,
    [{ field: '--target', message: `${target} is shared` }],
  );
}
