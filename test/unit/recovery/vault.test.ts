import { randomBytes } from 'node:crypto';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createFolderStore } from '../../../adapters/object-stores/folder-store.ts';
import { artefactKey, manifestKey, setFileKey } from '../../../domain/recovery/layout.ts';
import { DEFAULT_RETENTION } from '../../../domain/recovery/retention.ts';
import { newIdentity } from '../../../recovery/vault/keys.ts';
import { holdSet, markVerified } from '../../../recovery/vault/mark-set.ts';
import { pruneSets } from '../../../recovery/vault/prune-sets.ts';
import { loadSigner, signManifest } from '../../../recovery/vault/sign-manifest.ts';
import { stageSet } from '../../../recovery/vault/stage-set.ts';
import { publishManifest } from '../../../recovery/vault/upload-set.ts';
import { createVaultTarget } from '../../../recovery/vault/vault-target.ts';
import { verifySet } from '../../../recovery/vault/verify-set.ts';
import {
  backUpTo,
  createVaultWorld,
  DAY_MS,
  inChunks,
  readAll,
  sampleManifest,
  type VaultWorld,
} from './vault-world.ts';

const signal = new AbortController().signal;
const worlds: VaultWorld[] = [];
async function world(encrypted = true): Promise<VaultWorld> {
  const made = await createVaultWorld(encrypted);
  worlds.push(made);
  return made;
}
afterEach(async () => {
  await Promise.all(worlds.splice(0).map((one) => one.end()));
});
const base = randomBytes(2_500_000);
const files = { 'postgres/base.tar': base, 'postgres/backup_manifest': Buffer.from('{}') };
const verify = (w: VaultWorld, setId: string, keys = w.keys) => verifySet(w.target, setId, { keys, signal });

describe('a backup set', () => {
  for (const encrypted of [true, false]) {
    it(`comes back byte for byte, ${encrypted ? 'encrypted' : 'plain'}`, async () => {
      const w = await world(encrypted);
      const model = randomBytes(50_000);
      const set = await backUpTo(w, files, [model]);
      expect(await w.target.sets()).toEqual([set]);
      const source = await w.target.open(set);
      expect((await readAll(await source.open('postgres/base.tar'))).equals(base)).toBe(true);
      const [artefact] = set.artefacts;
      expect((await readAll(await w.target.artefact(set, artefact!.digest))).equals(model)).toBe(true);
      const found = await verify(w, set.setId);
      expect(found).toMatchObject({ problems: [], files: 2, artefacts: 1, contentChecked: true });
      const stored = await readdir(join(w.dir, 'target'), { recursive: true, withFileTypes: true });
      expect(stored.filter((entry) => entry.isFile())).toHaveLength(4);
    });
  }

  it('names the file in which one byte was flipped, which is missing, and the artefact that rotted', async () => {
    const w = await world();
    const set = await backUpTo(w, { ...files, 'logs/api.log': Buffer.from('log') }, [randomBytes(1000)]);
    await w.flip(setFileKey(set.setId, 'postgres/base.tar'), 1_000_000);
    await rm(w.pathOf(setFileKey(set.setId, 'logs/api.log')));
    const { digest } = set.artefacts[0]!;
    await w.flip(artefactKey(set.artefactGroup, digest), -1);
    const found = await verify(w, set.setId);
    expect(found.problems.map((problem) => problem.field)).toEqual([
      'logs/api.log',
      'postgres/base.tar',
      `artefact ${digest}`,
    ]);
    expect(found.problems[0]?.message).toBe('is not in the target');
    const source = await w.target.open(set);
    await expect(source.open('postgres/base.tar').then(readAll)).rejects.toMatchObject({ code: 'artefactCorrupt' });
  });

  it('is refused with the wrong key, and says whose identity would open it', async () => {
    const w = await world();
    const set = await backUpTo(w, files);
    const { identity } = await newIdentity();
    const stranger = createVaultTarget(w.target.store, { ...w.keys, identities: [identity] });
    const source = await stranger.open(set);
    await expect(source.open('postgres/base.tar').then(readAll)).rejects.toMatchObject({
      code: 'refused',
      problems: [{ allowed: [`the identity of ${w.keys.recipients[0] ?? ''}`] }],
    });
    // Without any identity at least the stored bytes are proven.
    const found = await verify(w, set.setId, { ...w.keys, identities: [] });
    expect(found).toMatchObject({ problems: [], contentChecked: false });
  });

  it('is refused when its manifest was changed, signed by a stranger, foreign or of a newer version', async () => {
    const w = await world();
    const set = await backUpTo(w, files);
    const store = createFolderStore(join(w.dir, 'target'));
    const put = (setId: string, bytes: Buffer) => store.put(manifestKey(setId), inChunks(bytes));
    const read = () => w.target.manifest(set.setId);
    const stranger = await loadSigner(join(w.dir, 'stranger.pem'));
    await put(set.setId, signManifest(set, stranger));
    await expect(read()).rejects.toMatchObject({ code: 'forbidden' });
    const newer = { ...set, formatVersion: 2 as unknown as 1, softwareVersion: '9.9.9' };
    await put(set.setId, signManifest(newer, w.keys.signer));
    await expect(read()).rejects.toMatchObject({
      code: 'refused',
      problems: [{ field: 'formatVersion', message: expect.stringContaining('Sluice 9.9.9') as string }],
    });
    await put(set.setId, Buffer.from('{"hello":"world"}'));
    await expect(read()).rejects.toMatchObject({ code: 'refused' });
    const signed = JSON.parse(signManifest(set, w.keys.signer).toString()) as Record<string, string>;
    const forged = Buffer.from(JSON.stringify({ ...set, rowCounts: {} })).toString('base64');
    await put(set.setId, Buffer.from(JSON.stringify({ ...signed, manifest: forged })));
    await expect(read()).rejects.toMatchObject({ code: 'artefactCorrupt' });
    const [found] = await w.target.find();
    expect(found?.problem?.message).toContain('signature');
    expect(await w.target.sets()).toEqual([]);
  });

  it('is never overwritten, and published again by a retry', async () => {
    const w = await world();
    const set = await backUpTo(w, files);
    const options = { signal };
    await publishManifest(w.target.store, set, w.keys.signer, options);
    const other = { ...set, requestedBy: 'somebody else' };
    await expect(publishManifest(w.target.store, other, w.keys.signer, options)).rejects.toMatchObject({
      code: 'conflict',
    });
    expect(await w.target.sets()).toEqual([set]);
  });

  it('goes on after a kill with the files that were complete', async () => {
    const w = await world();
    const setId = sampleManifest('20300101T000000Z-00000000', 0).setId;
    const first = await stageSet(w.dir, setId, w.keys.recipients);
    const done = await first.sink(signal).add('one', inChunks(base));
    async function* killed(): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(base);
      throw new Error('killed');
    }
    await expect(first.sink(signal).add('two', killed())).rejects.toThrow('killed');
    const second = await stageSet(w.dir, setId, w.keys.recipients);
    expect(second.encryption).toEqual(first.encryption);
    expect(await second.sink(signal).staged('one')).toEqual(done);
    expect(await second.sink(signal).staged('two')).toBeNull();
    await second.sink(signal).add('two', inChunks(base));
    expect((await second.files()).map((file) => file.name)).toEqual(['one', 'two']);
  });

  it('shares artefacts with other sets, and pruning keeps what kept sets need', async () => {
    const w = await world();
    const [old, both, young] = [randomBytes(100), randomBytes(100), randomBytes(100)];
    const nowMs = Date.now() + 400 * DAY_MS;
    const first = await backUpTo(w, files, [old, both], nowMs - 399 * DAY_MS);
    const second = await backUpTo(w, files, [both, young], nowMs - DAY_MS);
    const held = await backUpTo(w, files, [], nowMs - 398 * DAY_MS);
    await holdSet(w.target.store, held.setId, 'audit 2031');
    await markVerified(w.target.store, second.setId, nowMs, {});
    const policy = { ...DEFAULT_RETENTION, daily: 1, weekly: 1, monthly: 1 };
    const dry = await pruneSets(w.target, { policy, nowMs, dryRun: true, signal });
    expect(dry.removedSets).toEqual([first.setId]);
    expect((await w.target.sets()).length).toBe(3);
    const report = await pruneSets(w.target, { policy, nowMs, dryRun: false, signal });
    expect(report).toMatchObject({ removedSets: [first.setId], removedArtefacts: 1 });
    expect((await w.target.find()).map((set) => set.setId)).toEqual([held.setId, second.setId]);
    expect((await verify(w, second.setId)).problems).toEqual([]);
    await holdSet(w.target.store, held.setId, null);
    expect((await pruneSets(w.target, { policy, nowMs, dryRun: true, signal })).removedSets).toEqual([held.setId]);
  });

  it('keeps the log as long as daily sets, also of a server that no set is of', async () => {
    const w = await world();
    const nowMs = Date.now() + 400 * DAY_MS;
    const old = await backUpTo(w, files, [], nowMs - 300 * DAY_MS);
    const young = await backUpTo(w, files, [], nowMs - DAY_MS);
    for (const set of [old, young]) await markVerified(w.target.store, set.setId, nowMs, {});
    const piece = (ageDays: number) => ({ timeline: 1, start: 0n, end: 16n, atMs: nowMs - ageDays * DAY_MS });
    const stranger = await w.target.wal('999');
    for (const ageDays of [40, 5]) await stranger.put(piece(ageDays), Buffer.alloc(16));
    const options = { policy: DEFAULT_RETENTION, nowMs, dryRun: false, signal };
    const report = await pruneSets(w.target, options);
    expect(report).toMatchObject({ removedSets: [], removedWal: 1 });
    expect((await stranger.pieces()).map((one) => one.atMs)).toEqual([nowMs - 5 * DAY_MS]);
  });

  it('keeps artefacts and log while a manifest cannot be read', async () => {
    const w = await world();
    const set = await backUpTo(w, files, [randomBytes(10)], Date.now() - 10 * DAY_MS);
    await rm(w.pathOf(manifestKey(set.setId)));
    await writeFile(w.pathOf(manifestKey(set.setId)), 'rotten');
    const options = { policy: DEFAULT_RETENTION, nowMs: Date.now() + 10 * DAY_MS, dryRun: false, signal };
    const report = await pruneSets(w.target, options);
    expect(report).toMatchObject({ removedArtefacts: 0, removedSets: [] });
    expect(report.notes.join()).toContain('cannot be read');
  });
});
