import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../../adapters/object-stores/object-store.ts';
import { DomainError } from '../../../domain/errors.ts';
import { artefactKey } from '../../../domain/recovery/layout.ts';
import { newSetId } from '../../../domain/recovery/manifest.ts';
import { holdSet, markVerified } from '../../../recovery/vault/mark-set.ts';
import { pruneSets } from '../../../recovery/vault/prune-sets.ts';
import { loadSigner, type Signer } from '../../../recovery/vault/sign-manifest.ts';
import { publishManifest } from '../../../recovery/vault/upload-set.ts';
import { createVaultTarget, type VaultTarget } from '../../../recovery/vault/vault-target.ts';
import { DAY_MS, sampleManifest } from './vault-world.ts';

const { signal } = new AbortController();
const START_MS = Date.UTC(2030, 0, 1, 3);

/** A store with versions and locks: a deletion always succeeds, and hides what is locked. */
function createLockingStore(clock: { nowMs: number }) {
  const content = new Map<string, { bytes: Buffer; atMs: number; lockedUntilMs: number | null }>();
  const hidden: string[] = [];
  const infoOf = (key: string) => {
    const found = content.get(key);
    if (found === undefined) return null;
    const { bytes, atMs, lockedUntilMs } = found;
    const lock = lockedUntilMs === null ? {} : { lockedUntilMs };
    return { key, bytes: bytes.byteLength, modifiedAtMs: atMs, ...lock };
  };
  const store: ObjectStore = {
    address: 'memory://locks',
    features: { conditionalPut: true, objectLock: true },
    async put(key, source, options = {}) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of source) chunks.push(chunk);
      const bytes = Buffer.concat(chunks);
      content.set(key, { bytes, atMs: clock.nowMs, lockedUntilMs: options.lockUntil?.getTime() ?? null });
      return { key, bytes: bytes.byteLength, sha256: createHash('sha256').update(bytes).digest('hex') };
    },
    get: (key) => {
      const found = content.get(key);
      if (found === undefined) return Promise.reject(new DomainError('notFound', `no ${key}`));
      return Promise.resolve({ bytes: found.bytes.byteLength, content: once(found.bytes) });
    },
    head: (key) => Promise.resolve(infoOf(key)),
    async *list(prefix) {
      for (const key of [...content.keys()].filter((one) => one.startsWith(prefix)).sort())
        yield await Promise.resolve(infoOf(key)!);
    },
    delete: (key) => {
      if ((content.get(key)?.lockedUntilMs ?? 0) > clock.nowMs) hidden.push(key);
      content.delete(key);
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
  return { store, hidden, keys: content };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');

interface Day {
  readonly taken: boolean;
  readonly verified: boolean;
  readonly held: boolean;
  readonly lockDays: number | null;
  /** Models change now and then: sets of a while share artefacts. */
  readonly newModel: boolean;
}
const day: fc.Arbitrary<Day> = fc.record({
  taken: fc.boolean(),
  verified: fc.boolean(),
  held: fc.integer({ min: 0, max: 60 }).map((n) => n === 0),
  lockDays: fc.option(fc.integer({ min: 1, max: 120 })),
  newModel: fc.integer({ min: 0, max: 20 }).map((n) => n === 0),
});

let dir: string;
let signer: Signer;

describe('the pruning of a target', () => {
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'prune-years-'));
    signer = await loadSigner(join(dir, 'signing.pem'));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  it('over simulated years touches nothing that is locked, held or needed, and lets the rest go', async () => {
    const policy = { keepAllDays: 2, daily: 10, weekly: 4, monthly: 6 };
    const years = fc.array(day, { minLength: 700, maxLength: 800 });
    await fc.assert(
      fc.asyncProperty(years, async (days) => {
        const clock = { nowMs: START_MS };
        const { store, hidden, keys } = createLockingStore(clock);
        const target = createVaultTarget(store, {
          recipients: [],
          identities: [],
          signer,
          trusted: [signer.publicKey],
        });
        const locks = new Map<string, number>();
        let model = digestOf('0');
        for (const [index, today] of days.entries()) {
          clock.nowMs = START_MS + index * DAY_MS;
          if (today.newModel) model = digestOf(String(index));
          if (today.taken) await takeSet(target, today, clock.nowMs, model, locks);
          if (index % 9 !== 8) continue;
          await pruneSets(target, { policy, nowMs: clock.nowMs, dryRun: false, signal });
          expect(hidden).toEqual([]);
          await expectWhole(target, new Set(keys.keys()), locks, clock.nowMs);
        }
      }),
      { numRuns: 3, endOnFailure: true },
    );
  }, 60_000);
});

async function takeSet(
  { store }: VaultTarget,
  { lockDays, verified, held }: Day,
  nowMs: number,
  model: string,
  locks: Map<string, number>,
): Promise<void> {
  const setId = newSetId(nowMs, digestOf(String(nowMs)));
  await store.put(artefactKey('plain', model), once(Buffer.from('model')));
  const lockUntil = lockDays === null ? undefined : new Date(nowMs + lockDays * DAY_MS);
  if (lockUntil !== undefined) locks.set(setId, lockUntil.getTime());
  const manifest = { ...sampleManifest(setId, nowMs), artefacts: [{ digest: model, bytes: 5 }] };
  await publishManifest(store, manifest, signer, { signal, lockUntil });
  if (verified) await markVerified(store, setId, nowMs, {});
  if (held) await holdSet(store, setId, 'held');
}

/** Nobody waits for a set that has gone although it was locked, or for an artefact of one that stayed. */
async function expectWhole(
  target: VaultTarget,
  keys: ReadonlySet<string>,
  locks: ReadonlyMap<string, number>,
  nowMs: number,
): Promise<void> {
  const found = await target.find();
  const there = new Set(found.map((set) => set.setId));
  for (const [setId, untilMs] of locks) if (untilMs > nowMs) expect(there.has(setId)).toBe(true);
  for (const { manifest } of found) {
    for (const { digest } of manifest?.artefacts ?? []) expect(keys.has(artefactKey('plain', digest))).toBe(true);
  }
  // Ten days, four weeks, six months, two of which may overlap; and what is held or locked.
  const kept = found.filter(({ setId, hold }) => hold === null && (locks.get(setId) ?? 0) <= nowMs);
  expect(kept.length).toBeLessThanOrEqual(24);
}
