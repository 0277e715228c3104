import type { Lsn } from './lsn.ts';

/** A range of the log as one object in a target: some bytes of a segment, or the whole of it. */
export interface WalPiece {
  readonly timeline: number;
  readonly start: Lsn;
  /** Exclusive; in the same segment. */
  readonly end: Lsn;
  /** Epoch ms by the database's clock at which its last byte was sent. */
  readonly atMs: number;
}

/** A name that a person gave to a position. */
export interface RestorePoint {
  readonly name: string;
  readonly timeline: number;
  readonly lsn: Lsn;
  readonly atMs: number;
}

/** The log of one database server in one target. Objects are written once. All methods throw `DomainError`. */
export interface WalStore {
  /** The same piece again is a success. */
  put(piece: WalPiece, bytes: Uint8Array): Promise<void>;
  putHistory(timeline: number, text: string): Promise<void>;
  putPoint(point: RestorePoint): Promise<void>;
  /** By timeline and start; of two that start together the longer one first. `from`: none that start before. */
  pieces(from?: { readonly timeline: number; readonly start: Lsn }): Promise<readonly WalPiece[]>;
  /** Text of every timeline's history, by its number. */
  histories(): Promise<ReadonlyMap<number, string>>;
  points(): Promise<readonly RestorePoint[]>;
  /** @throws DomainError `notFound`, `artefactCorrupt` */
  read(piece: WalPiece): Promise<Uint8Array>;
  /** Epoch ms until which the store keeps it whoever deletes it; `null`: no lock is known. */
  lockedUntilMs(piece: WalPiece): Promise<number | null>;
  /** @throws DomainError `refused` while a lock holds it, where the store keeps no versions */
  remove(piece: WalPiece): Promise<void>;
}
