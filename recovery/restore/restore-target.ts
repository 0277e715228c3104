import type { Digest } from '../../domain/artefacts.ts';
import type { BackupManifest } from '../../domain/recovery/manifest.ts';
import { DomainError } from '../../domain/errors.ts';
import { parseLsn, SEGMENT_BYTES } from '../postgres/lsn.ts';
import type { WalStore } from '../postgres/wal-store.ts';
import type { SetSource } from '../vault/set-sink.ts';
import type { RestoreSources } from './plan-restore.ts';

/** A target as a restore reads it: signatures checked, content decrypted. All methods throw `DomainError`. */
export interface RestoreTarget {
  /** Without secrets, for messages. */
  readonly address: string;
  /** Manifests of every set that can be read, oldest first. */
  sets(): Promise<readonly BackupManifest[]>;
  open(set: BackupManifest): Promise<SetSource>;
  artefact(set: BackupManifest, digest: Digest): Promise<AsyncIterable<Uint8Array>>;
  wal(systemId: string): Promise<WalStore>;
}

export interface TargetContents {
  readonly systemId: string;
  readonly sets: ReadonlyMap<string, BackupManifest>;
  readonly sources: RestoreSources;
  readonly store: WalStore;
}

/**
 * Reads what a target has of one database server: the one of its newest set unless another is named.
 * @throws DomainError `notFound` when there is no such set
 */
export async function readTarget(target: RestoreTarget, systemId?: string): Promise<TargetContents> {
  const manifests = await target.sets();
  const wanted = systemId ?? manifests.at(-1)?.postgres.systemIdentifier;
  const own = manifests.filter((set) => set.postgres.systemIdentifier === wanted);
  if (wanted === undefined || own.length === 0) {
    throw new DomainError('notFound', `${target.address} holds no backup set`, [
      { field: 'target', message: 'nothing to restore', allowed: ['a target that `sluice backup list` shows sets in'] },
    ]);
  }
  return readSystem(target, wanted, own);
}

/** What a target has of one database server, whose manifests are known. */
export async function readSystem(
  target: Pick<RestoreTarget, 'wal'>,
  systemId: string,
  own: readonly BackupManifest[],
): Promise<TargetContents> {
  const store = await target.wal(systemId);
  const [pieces, histories, points] = await Promise.all([store.pieces(), store.histories(), store.points()]);
  const sets = own.map(({ setId, setKind, postgres, finishedAt }) => ({
    setId,
    timeline: postgres.timeline,
    startLsn: parseLsn(postgres.startLsn),
    stopLsn: parseLsn(postgres.endLsn),
    finishedAtMs: Date.parse(finishedAt),
    logical: setKind === 'logical',
  }));
  return {
    systemId,
    sets: new Map(own.map((set) => [set.setId, set])),
    sources: { sets, pieces, histories, points, segmentBytes: SEGMENT_BYTES },
    store,
  };
}
