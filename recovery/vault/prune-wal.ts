/** Retention of the log: what no set needs any more, and pieces that a whole segment has replaced. */
import { unlessRefused } from '../../adapters/object-stores/unless-refused.ts';
import { setTimeMs } from '../../domain/recovery/manifest.ts';
import type { RetentionPolicy } from '../../domain/recovery/retention.ts';
import { parseLsn } from '../postgres/lsn.ts';
import type { WalPiece, WalStore } from '../postgres/wal-store.ts';
import type { FoundSet, VaultTarget } from './vault-target.ts';

const DAY_MS = 86_400_000;
/** Above every position. */
const MAX_LSN = (1n << 64n) - 1n;
/** Who wrote the segment removes its pieces at once; what is left an hour later was kept by a lock, or by a crash. */
const REPLACED_AFTER_MS = 3_600_000;

interface PruneWalOptions {
  readonly policy: RetentionPolicy;
  readonly nowMs: number;
  /** Only says what would go. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

/**
 * Any moment of the last `daily` days can be restored; an older set brings back its own moment, with the log inside it.
 * The log of servers that no set is of, such as one that a new home replaced, goes at the same age.
 * @returns how many objects went, or would go
 */
export async function removeWal(
  target: VaultTarget,
  kept: readonly FoundSet[],
  { policy, nowMs, dryRun, signal }: PruneWalOptions,
  notes: string[],
): Promise<number> {
  const sinceMs = nowMs - Math.max(policy.daily, policy.keepAllDays) * DAY_MS;
  const manifests = kept.flatMap(({ manifest, verifiedAt }) =>
    manifest?.setKind === 'physical' ? [{ ...manifest.postgres, setId: manifest.setId, verifiedAt }] : [],
  );
  let removed = 0;
  let locked = 0;
  for (const systemIdentifier of await target.systems(signal)) {
    const own = manifests.filter((set) => set.systemIdentifier === systemIdentifier);
    const needed = setsWithLog(own, sinceMs);
    const oldestLsn = needed.map((set) => parseLsn(set.startLsn)).reduce((a, b) => (b < a ? b : a), MAX_LSN);
    const oldestTimeline = Math.min(...needed.map((set) => set.timeline));
    const wal = await target.wal(systemIdentifier);
    const pieces = await wal.pieces();
    const replaced = replacedPieces(pieces, nowMs - REPLACED_AFTER_MS);
    const loose = pieces.filter(
      (piece) =>
        replaced.has(piece) ||
        // An older timeline's log is what a newer one grew from, as far as its positions reach: kept by position alone.
        (needed.length === 0 ? piece.atMs < sinceMs : piece.end <= oldestLsn && piece.timeline <= oldestTimeline),
    );
    const asked = target.store.features.objectLock;
    const gone = await removePieces(wal, loose, { nowMs, dryRun, signal, asked });
    removed += gone;
    locked += loose.length - gone;
  }
  if (locked > 0) notes.push(`${locked} pieces of the log that no set needs stay: the store has them locked`);
  return removed;
}

/**
 * In the order in which they were written, in which their locks end: the first that is locked ends it, so that a day of
 * pieces costs one question. Locks are asked for, as a store with versions would hide a locked piece.
 */
async function removePieces(
  wal: WalStore,
  loose: readonly WalPiece[],
  { nowMs, dryRun, signal, asked }: Pick<PruneWalOptions, 'nowMs' | 'dryRun' | 'signal'> & { readonly asked: boolean },
): Promise<number> {
  let removed = 0;
  for (const piece of [...loose].sort((a, b) => a.atMs - b.atMs)) {
    signal.throwIfAborted();
    if (asked && ((await wal.lockedUntilMs(piece)) ?? 0) > nowMs) break;
    if (!dryRun && !(await unlessRefused(() => wal.remove(piece)))) break;
    removed += 1;
  }
  return removed;
}

const lengthOf = ({ start, end }: WalPiece): bigint => end - start;

/** Those that lie in a longer one of the same timeline, which comes before them. */
function replacedPieces(pieces: readonly WalPiece[], beforeMs: number): ReadonlySet<WalPiece> {
  const replaced = new Set<WalPiece>();
  let whole: WalPiece | null = null;
  for (const piece of pieces) {
    const inside = whole?.timeline === piece.timeline && piece.start >= whole.start && piece.end <= whole.end;
    if (whole === null || !inside) whole = piece;
    else if (lengthOf(piece) < lengthOf(whole) && Math.max(piece.atMs, whole.atMs) < beforeMs) replaced.add(piece);
  }
  return replaced;
}

/** The young ones, and from the newest verified one on all of them, however old. */
function setsWithLog<T extends { readonly setId: string; readonly verifiedAt: string | null }>(
  sets: readonly T[],
  sinceMs: number,
): readonly T[] {
  const lastVerified = sets.filter((set) => set.verifiedAt !== null).at(-1);
  return sets.filter(
    ({ setId }) => setTimeMs(setId) >= sinceMs || lastVerified === undefined || setId >= lastVerified.setId,
  );
}
