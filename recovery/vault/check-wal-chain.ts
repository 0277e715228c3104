import { DomainError, type Problem } from '../../domain/errors.ts';
import type { BackupManifest } from '../../domain/recovery/manifest.ts';
import { formatLsn, parseLsn } from '../postgres/lsn.ts';
import type { WalPiece } from '../postgres/wal-store.ts';
import type { VaultTarget } from './vault-target.ts';

export interface WalChain {
  readonly problems: readonly Problem[];
  /** `null`: no log of the set's server and timeline lies in the target. */
  readonly until: string | null;
}

/**
 * Follows the log from the end of a set. The set alone is complete without it: a hole makes later moments
 * unreachable from this set. Every piece on the way is opened, as an unreadable one would look like the log's end.
 */
export async function checkWalChain(
  target: Pick<VaultTarget, 'wal'>,
  set: BackupManifest,
  open: boolean,
  signal: AbortSignal,
): Promise<WalChain> {
  if (set.setKind !== 'physical') return { problems: [], until: null };
  const store = await target.wal(set.postgres.systemIdentifier);
  const end = parseLsn(set.postgres.endLsn);
  const later = (await store.pieces()).filter((piece) => piece.timeline === set.postgres.timeline && piece.end > end);
  if (later.length === 0) return { problems: [], until: null };
  const problems: Problem[] = [];
  let at = end;
  for (const piece of later) {
    signal.throwIfAborted();
    if (piece.end <= at) continue;
    if (piece.start > at) {
      problems.push({
        field: 'wal',
        message: `the log between ${formatLsn(at)} and ${formatLsn(piece.start)} is missing`,
      });
      break;
    }
    const fault = open ? await faultOf(piece, (one) => store.read(one)) : null;
    if (fault !== null) {
      problems.push(fault);
      break;
    }
    at = piece.end;
  }
  return { problems, until: formatLsn(at) };
}

async function faultOf(piece: WalPiece, read: (piece: WalPiece) => Promise<Uint8Array>): Promise<Problem | null> {
  const field = `wal ${formatLsn(piece.start)}`;
  try {
    const bytes = await read(piece);
    const expected = Number(piece.end - piece.start);
    if (bytes.byteLength === expected) return null;
    return { field, message: `${bytes.byteLength} bytes of the log instead of ${expected}` };
  } catch (error) {
    if (!(error instanceof DomainError) || error.code === 'unavailable' || error.code === 'forbidden') throw error;
    // Whole segments take the place of their pieces while this reads: then the piece is simply not needed any more.
    return { field, message: error.code === 'notFound' ? 'went away while it was read; verify again' : error.message };
  }
}
