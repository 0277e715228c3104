import { DomainError } from '../../domain/errors.ts';
import { setTimeMs, type BackupManifest, type SetKind } from '../../domain/recovery/manifest.ts';
import { restorableWindows } from '../restore/plan-restore.ts';
import { readSystem } from '../restore/restore-target.ts';
import type { OpenedVault } from '../vault/open-vaults.ts';
import type { FoundSet, VaultTarget } from '../vault/vault-target.ts';

/** A set in one target, as lists show it. Times are ISO 8601. */
export interface ListedSet {
  readonly setId: string;
  readonly target: string;
  /** `null`: its manifest cannot be read, see `problem`. */
  readonly kind: SetKind | null;
  readonly takenAt: string;
  readonly requestedBy: string | null;
  readonly label: string | null;
  /** Below the set's prefix in the target; artefacts are shared and not counted. */
  readonly storedBytes: number;
  readonly verifiedAt: string | null;
  readonly hold: string | null;
  readonly problem: string | null;
  /** Which moments it brings back; both ends are one where there is no log after it. `null`: unknown. */
  readonly restorable: { readonly from: string; readonly to: string } | null;
}

/** The sets of all given targets, newest first. */
export async function listSets(vaults: readonly OpenedVault[]): Promise<readonly ListedSet[]> {
  const each = await Promise.all(
    vaults.map(async ({ name, vault }) => {
      const found = await vault.find();
      const windows = await windowsOf(vault, found);
      return found.map((set) => describe(set, name, windows.get(set.setId) ?? null));
    }),
  );
  return each.flat().sort((a, b) => (a.setId === b.setId ? 0 : a.setId < b.setId ? 1 : -1));
}

export interface ShownSet extends ListedSet {
  readonly manifest: BackupManifest;
}

/** @throws DomainError `notFound` when none of the targets has it; what is wrong with its manifest */
export async function showSet(vaults: readonly OpenedVault[], setId: string): Promise<ShownSet> {
  const { name, vault } = await holderOf(vaults, setId);
  const manifest = await vault.manifest(setId);
  const [found] = (await vault.find()).filter((set) => set.setId === setId);
  if (found === undefined) throw notHere(vaults, setId);
  const windows = await windowsOf(vault, [found]);
  return { ...describe(found, name, windows.get(setId) ?? null), manifest };
}

/** The first target that has the set. @throws DomainError `notFound` */
export async function holderOf(vaults: readonly OpenedVault[], setId: string): Promise<OpenedVault> {
  const [first] = await holdersOf(vaults, setId);
  if (first === undefined) throw notHere(vaults, setId);
  return first;
}

/** All targets that have a set with this id. @throws DomainError `invalidInput` when it is no id */
export async function holdersOf(vaults: readonly OpenedVault[], setId: string): Promise<readonly OpenedVault[]> {
  const each = await Promise.all(vaults.map(async (one) => ((await one.vault.has(setId)) ? [one] : [])));
  return each.flat();
}

export function notHere(vaults: readonly OpenedVault[], setId: string): DomainError {
  const where = vaults.map(({ vault }) => vault.address).join(', ');
  return new DomainError('notFound', `There is no backup set ${setId} in ${where}`);
}

function describe(set: FoundSet, target: string, window: Window | null): ListedSet {
  const { setId, manifest, storedBytes, verifiedAt, hold, problem } = set;
  return {
    setId,
    target,
    kind: manifest?.setKind ?? null,
    takenAt: manifest?.startedAt ?? new Date(setTimeMs(setId)).toISOString(),
    requestedBy: manifest?.requestedBy ?? null,
    label: manifest?.label ?? null,
    storedBytes,
    verifiedAt,
    hold,
    problem: problem?.message ?? null,
    restorable:
      window === null ? null : { from: new Date(window.fromMs).toISOString(), to: new Date(window.toMs).toISOString() },
  };
}

interface Window {
  readonly fromMs: number;
  readonly toMs: number;
}

/** By set, over all timelines that lead on from it. */
async function windowsOf(vault: VaultTarget, found: readonly FoundSet[]): Promise<ReadonlyMap<string, Window>> {
  const manifests = found.flatMap(({ manifest }) => manifest ?? []);
  const windows = new Map<string, Window>();
  for (const systemId of new Set(manifests.map((set) => set.postgres.systemIdentifier))) {
    const own = manifests.filter((set) => set.postgres.systemIdentifier === systemId);
    const { sources } = await readSystem(vault, systemId, own);
    for (const { setId, fromMs, toMs } of restorableWindows(sources)) {
      const known = windows.get(setId);
      windows.set(setId, { fromMs, toMs: Math.max(toMs, known?.toMs ?? toMs) });
    }
  }
  return windows;
}
