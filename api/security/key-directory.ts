import type { ApproverRole } from '../../domain/approver-role.ts';
import type { RateTier } from '../../domain/rate-tier.ts';
import type { Permission } from '../../domain/records.ts';
import type { KeyRow, KeyStore } from '../../db/ports.ts';
import { hashApiKey, isWellFormedApiKey } from './api-key-format.ts';

/** A revoked key is refused by every API process within this time; the process that revoked it refuses at once. */
export const KEY_REFRESH_MS = 2_000;

/** Who calls: the owner of a key. */
export interface Principal {
  readonly keyId: string;
  readonly name: string;
  readonly permissions: readonly Permission[];
  readonly tier: RateTier;
  /** In which it may approve steps of rollouts. */
  readonly roles: readonly ApproverRole[];
}

export type KeyCheck =
  | { readonly kind: 'valid'; readonly principal: Principal }
  | { readonly kind: 'malformed' | 'unknown' | 'revoked' | 'expired' | 'notLoaded' };

/** A key that was found, and is neither unknown nor revoked. */
interface KnownKey {
  readonly expiresAtMs: number;
  readonly check: KeyCheck;
}

export interface KeyDirectory {
  /** Never waits for the database: it looks into the snapshot. */
  check(key: string): KeyCheck;
  /** Reads the keys again; after a change, so that the change counts at once. */
  refresh(): Promise<void>;
  /** Refreshes every `KEY_REFRESH_MS` until the returned function is called. */
  start(): () => void;
  /** `ageMs` is null before the first load. */
  status(): { readonly keys: number; readonly ageMs: number | null };
}

export interface KeyDirectoryDeps {
  readonly keys: Pick<KeyStore, 'list'>;
  readonly now: () => number;
  /** Called when the database stops or starts answering, not at every poll. */
  readonly onStateChange: (state: { readonly ok: boolean; readonly error?: unknown }) => void;
}

/**
 * Keys in memory. While the database is away the last snapshot stays in force: predictions go on, and a key revoked
 * meanwhile is refused as soon as the database answers again. Expiry needs no database and always holds.
 *
 * The look-up is by hash in a map, not by a constant-time comparison: what its timing could reveal is about the
 * SHA-256 of the caller's own guess, and turning that into a key means inverting SHA-256.
 */
export function createKeyDirectory(deps: KeyDirectoryDeps): KeyDirectory {
  let byHash: ReadonlyMap<string, KeyRow> | null = null;
  /**
   * Keys of this snapshot as they were presented: the hash and the checksum of each cost as much as a small model. Only
   * keys that are in the snapshot come in, so it is no larger than that.
   */
  const presented = new Map<string, KnownKey>();
  let loadedAtMs = 0;
  let ok: boolean | null = null;

  const note = (state: boolean, error?: unknown): void => {
    if (ok !== state) deps.onStateChange(error === undefined ? { ok: state } : { ok: state, error });
    ok = state;
  };

  const refresh = async (): Promise<void> => {
    const rows = await deps.keys.list();
    byHash = new Map(rows.map((row) => [row.hash, row]));
    presented.clear();
    loadedAtMs = deps.now();
    note(true);
  };

  const find = (key: string): KnownKey | KeyCheck => {
    if (!isWellFormedApiKey(key)) return { kind: 'malformed' };
    if (byHash === null) return { kind: 'notLoaded' };
    const row = byHash.get(hashApiKey(key));
    if (row === undefined) return { kind: 'unknown' };
    if (row.revokedAt !== null) return { kind: 'revoked' };
    const { id: keyId, name, permissions, tier, roles } = row;
    const check = { kind: 'valid', principal: { keyId, name, permissions, tier, roles } } as const;
    const known = { expiresAtMs: row.expiresAt?.getTime() ?? Infinity, check };
    presented.set(key, known);
    return known;
  };

  const check = (key: string): KeyCheck => {
    const known = presented.get(key) ?? find(key);
    if ('kind' in known) return known;
    return known.expiresAtMs <= deps.now() ? { kind: 'expired' } : known.check;
  };

  const start = (): (() => void) => {
    let stopped = false;
    let timer: NodeJS.Timeout | undefined;
    const poll = async (): Promise<void> => {
      await refresh().catch((error: unknown) => note(false, error));
      if (!stopped) timer = setTimeout(() => void poll(), KEY_REFRESH_MS).unref();
    };
    void poll();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  };

  return {
    check,
    refresh,
    start,
    status: () => ({ keys: byHash?.size ?? 0, ageMs: byHash === null ? null : deps.now() - loadedAtMs }),
  };
}

/** `admin` implies everything, `predict` and `monitor` only themselves. */
export function isAllowed(principal: Principal, permission: Permission): boolean {
  return principal.permissions.includes(permission) || principal.permissions.includes('admin');
}
