import { holdSet, markVerified } from '../vault/mark-set.ts';
import type { OpenedVault } from '../vault/open-vaults.ts';
import { verifySet, type Verification, type VerifyOptions } from '../vault/verify-set.ts';
import { holdersOf, notHere } from './list-sets.ts';

/** Reads every byte of a set; one that is whole is marked so in its target. */
export async function verifyAndMark(
  { vault, keys }: Pick<OpenedVault, 'vault' | 'keys'>,
  setId: string,
  options: Omit<VerifyOptions, 'keys'> & { readonly nowMs: () => number },
): Promise<Verification> {
  const found = await verifySet(vault, setId, { ...options, keys });
  const { problems, bytesRead, contentChecked } = found;
  if (problems.length === 0) await markVerified(vault.store, setId, options.nowMs(), { bytesRead, contentChecked });
  return found;
}

/**
 * Holds a set in every given target that has it, or lifts its hold.
 * @returns names of the targets
 * @throws DomainError `notFound` when none has it
 */
export async function holdInAll(
  vaults: readonly OpenedVault[],
  setId: string,
  reason: string | null,
): Promise<readonly string[]> {
  const holders = await holdersOf(vaults, setId);
  if (holders.length === 0) throw notHere(vaults, setId);
  for (const { vault } of holders) await holdSet(vault.store, setId, reason);
  return holders.map(({ name }) => name);
}
