import { readRecoveryStatus, walLagSeconds, type RecoveryStatus } from '../../adapters/recovery-status.ts';
import { setTimeMs, type SetKind } from '../../domain/recovery/manifest.ts';
import { DEFAULT_OBJECTIVES } from '../../domain/recovery/objectives.ts';
import { previewRestore } from '../restore/restore-and-check.ts';
import type { OpenedVault } from '../vault/open-vaults.ts';
import { verifiedOf } from '../vault/vault-target.ts';

export interface TargetStatus {
  readonly target: string;
  readonly address: string;
  readonly sets: number;
  readonly newestVerified: string | null;
  /** `logical`: it restores to its own moment only. */
  readonly newestKind: SetKind | null;
  /** Of the newest verified set. */
  readonly ageMs: number | null;
  /** Why the target cannot be read; `null`: it can. */
  readonly problem: string | null;
  /** What can be restored, for a person. */
  readonly restorable: readonly string[];
  /** `null`: the log is not shipped, or this home does not know. */
  readonly walLagSeconds: number | null;
  /** The newest verified set is young enough. */
  readonly met: boolean;
}

export interface BackupStatus {
  readonly targets: readonly TargetStatus[];
  /** What became of the log between sets; `null`: this home does not know. */
  readonly log: RecoveryStatus['log'];
  /** The newest drill that ended. */
  readonly drill: RecoveryStatus['drill'];
}

/** Each target against the objectives; the log's lag and the last drill as the worker of this home wrote them down. */
export async function readBackupStatus(
  vaults: readonly OpenedVault[],
  home: string,
  nowMs: number,
): Promise<BackupStatus> {
  const known = readRecoveryStatus(home);
  const targets = await Promise.all(vaults.map((one) => statusOf(one, known, nowMs)));
  return { targets, log: known?.log ?? null, drill: known?.drill ?? null };
}

async function statusOf(
  { name, vault }: OpenedVault,
  known: RecoveryStatus | null,
  nowMs: number,
): Promise<TargetStatus> {
  const told = known?.targets.find((one) => one.name === name) ?? null;
  const walLag = known === null ? null : walLagSeconds(known, told?.walLagSeconds ?? null, nowMs);
  const found = await vault.find().then(
    (sets) => {
      const newest = verifiedOf(sets).at(-1);
      const ageMs = newest === undefined ? null : nowMs - setTimeMs(newest.setId);
      const newestKind = newest?.setKind ?? null;
      return { sets: sets.length, newestVerified: newest?.setId ?? null, newestKind, ageMs, problem: null };
    },
    (error: unknown) => {
      const problem = error instanceof Error ? error.message : String(error);
      return { sets: 0, newestVerified: null, newestKind: null, ageMs: null, problem };
    },
  );
  const restorable = await previewRestore({ target: vault, wish: { kind: 'latest' } }).then(
    (preview) => preview.windows,
    // Said above, or there is nothing to restore yet.
    () => [],
  );
  const met = found.ageMs !== null && found.ageMs <= DEFAULT_OBJECTIVES.setAgeMaxMs;
  return { target: name, address: vault.address, ...found, restorable, walLagSeconds: walLag, met };
}
