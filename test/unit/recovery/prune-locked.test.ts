import { afterEach, describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../../adapters/object-stores/object-store.ts';
import { DomainError } from '../../../domain/errors.ts';
import { DEFAULT_RETENTION } from '../../../domain/recovery/retention.ts';
import { pruneSets } from '../../../recovery/vault/prune-sets.ts';
import { createVaultTarget } from '../../../recovery/vault/vault-target.ts';
import { backUpTo, createVaultWorld, DAY_MS, type VaultWorld } from './vault-world.ts';

const { signal } = new AbortController();
const files = { 'postgres/base.tar': Buffer.from('rows'), 'postgres/backup_manifest': Buffer.from('{}') };
const opened: VaultWorld[] = [];
afterEach(() => Promise.all(opened.splice(0).map((world) => world.end())));

/** A folder that locks: what is deleted before its time is refused (`versions: false`), or hidden as if it were gone. */
function locking(inner: ObjectStore, clock: { nowMs: number }, versions: boolean) {
  const locks = new Map<string, number>();
  const hidden: string[] = [];
  const store: ObjectStore = {
    ...inner,
    features: { conditionalPut: true, objectLock: true },
    put: async (key, content, options = {}) => {
      const stored = await inner.put(key, content, options);
      if (options.lockUntil !== undefined) locks.set(key, options.lockUntil.getTime());
      return stored;
    },
    head: async (key, options) => {
      const found = await inner.head(key, options);
      const lockedUntilMs = locks.get(key);
      return found === null || lockedUntilMs === undefined ? found : { ...found, lockedUntilMs };
    },
    delete: (key, options) => {
      if ((locks.get(key) ?? 0) > clock.nowMs && !versions)
        return Promise.reject(new DomainError('refused', `${key} is locked`));
      if ((locks.get(key) ?? 0) > clock.nowMs) hidden.push(key);
      return inner.delete(key, options);
    },
  };
  return { store, locks, hidden };
}

async function world(versions: boolean) {
  const base = await createVaultWorld(false);
  opened.push(base);
  const clock = { nowMs: Date.now() };
  const locked = locking(base.target.store, clock, versions);
  const target = createVaultTarget(locked.store, base.keys, 30);
  return { ...base, ...locked, clock, target };
}

const named: readonly (readonly [string, boolean])[] = [
  ['refuses', false],
  ['keeps versions', true],
];

describe.each(named)('the pruning of a target with locks, whose store %s', (_, versions) => {
  it('leaves what is locked, says so, and removes it when its time is over', async () => {
    const w = await world(versions);
    const set = await backUpTo(w, files, [Buffer.from('needed')]);
    const loose = ['artefacts/plain/aa/loose', 'artefacts/plain/bb/free'] as const;
    for (const key of loose) await w.store.put(key, once(Buffer.from(key)));
    w.locks.set(loose[0], w.clock.nowMs + 30 * DAY_MS);
    w.clock.nowMs += 10 * DAY_MS;
    const prune = () => pruneSets(w.target, { policy: DEFAULT_RETENTION, nowMs: w.clock.nowMs, dryRun: false, signal });
    const report = await prune();
    expect(report).toMatchObject({ removedSets: [], removedArtefacts: 1 });
    expect(report.notes).toEqual(['1 artefacts that no set needs stay: the store has them locked']);
    w.clock.nowMs += 25 * DAY_MS;
    expect(await prune()).toMatchObject({ removedArtefacts: 1, notes: [] });
    expect((await w.target.find()).map(({ setId }) => setId)).toEqual([set.setId]);
    expect(w.hidden).toEqual([]);
  });

  it('leaves pieces that a segment has replaced until their locks end, and keeps the segment', async () => {
    const w = await world(versions);
    const set = await backUpTo(w, files);
    const { systemIdentifier } = set.postgres;
    const log = await w.target.wal(systemIdentifier);
    const atMs = w.clock.nowMs;
    // After the set's own start: the log that a restore to a later moment needs.
    const from = 0x3000000n;
    const pieces = [0n, 1n, 2n].map((n) => {
      const start = from + n * 16n;
      return { timeline: 1, start, end: start + 16n, atMs: atMs + Number(n) };
    });
    for (const piece of pieces) await log.put(piece, Buffer.alloc(16));
    const segment = { timeline: 1, start: from, end: from + 48n, atMs: atMs + 3 };
    await log.put(segment, Buffer.alloc(48));
    const young = { ...segment, start: segment.end, end: segment.end + 16n };
    await log.put(young, Buffer.alloc(16));
    const prune = (afterDays: number) => {
      w.clock.nowMs = atMs + afterDays * DAY_MS;
      return pruneSets(w.target, { policy: DEFAULT_RETENTION, nowMs: w.clock.nowMs, dryRun: false, signal });
    };
    const early = await prune(5);
    expect(early).toMatchObject({ removedWal: 0 });
    expect(early.notes).toEqual(['3 pieces of the log that no set needs stay: the store has them locked']);
    expect(await prune(31)).toMatchObject({ removedWal: 3, notes: [] });
    expect((await log.pieces()).map(({ start, end }) => [start, end])).toEqual(
      [segment, young].map(({ start, end }) => [start, end]),
    );
    expect(w.hidden).toEqual([]);
  });
});

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}
