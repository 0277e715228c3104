import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createBackupDesk } from '../../../api/backups/create-backup-desk.ts';
import { writeRecoveryStatus } from '../../../adapters/recovery-status.ts';
import type { DrillRow } from '../../../db/recovery-store.ts';
import { DomainError } from '../../../domain/errors.ts';
import type { BackupManifest } from '../../../domain/recovery/manifest.ts';
import { markVerified } from '../../../recovery/vault/mark-set.ts';
import { backUpTo, createVaultWorld, DAY_MS, type VaultWorld } from '../recovery/vault-world.ts';
import { createTestApp } from './support/test-app.ts';

const files = { 'postgres/base.tar': Buffer.from('rows'), 'postgres/backup_manifest': Buffer.from('{}') };
const nowMs = Date.now();

let world: VaultWorld;
let physical: BackupManifest;
let logical: BackupManifest;
let drills: readonly DrillRow[];
let app: Awaited<ReturnType<typeof createTestApp>>;

beforeEach(async () => {
  world = await createVaultWorld();
  physical = await backUpTo(world, files, [], nowMs - 2 * DAY_MS);
  logical = await backUpTo(world, files, [], nowMs - DAY_MS, { setKind: 'logical', label: 'rows' });
  await markVerified(world.target.store, physical.setId, nowMs, {});
  drills = [drill(physical.setId, 'passed', 900, {}), drill(null, 'failed', null, { failure: 'no set' })];
  const folder = { kind: 'folder', name: 'near', dir: join(world.dir, 'target'), lockDays: null } as const;
  const keys = {
    recipients: world.keys.recipients,
    identityFile: null,
    signingKeyFile: join(world.dir, 'keys/signing.pem'),
    trustedSigners: [],
  };
  const desk = createBackupDesk({
    backup: { targets: [folder], credentials: {} as never, keys },
    home: world.dir,
    databaseUrl: 'postgres://nowhere',
    recovery: { drills: (limit) => Promise.resolve(drills.slice(0, limit)) },
    now: () => nowMs,
  });
  app = await createTestApp({ desk });
});
afterEach(() => world.end());

const drill = (
  setId: string | null,
  outcome: DrillRow['outcome'],
  restoreMs: number | null,
  details: DrillRow['details'],
): DrillRow => {
  const at = new Date(nowMs);
  return {
    id: randomUUID(),
    target: 'file:///near',
    setId,
    outcome,
    startedAt: at,
    finishedAt: at,
    restoreMs,
    lossMs: null,
    details,
  };
};

describe('the routes of backups', () => {
  it('list the sets of each target with the moments they bring back', async () => {
    const { json } = await app.call('GET', '/backups', { key: 'monitor' });
    expect((json as { sets: { id: string }[] }).sets.map(({ id }) => id)).toEqual([logical.setId, physical.setId]);
    expect(json.sets[0]).toMatchObject({
      target: 'near',
      kind: 'logical',
      label: 'rows',
      verified_at: null,
      hold: null,
    });
    const { finishedAt } = logical;
    expect(json.sets[0].restorable).toEqual({ from: finishedAt, to: finishedAt });
    expect(json.sets[1].verified_at).not.toBeNull();
    expect((await app.call('GET', '/backups?limit=1')).json.sets).toHaveLength(1);
    expect((await app.call('GET', '/backups', { key: 'predict' })).status).toBe(403);
    expect((await app.call('GET', '/backups?target=far')).json).toMatchObject({
      status: 404,
      problems: [{ field: 'target', allowed: ['near'] }],
    });
  });

  it('show one set with its manifest and its verification, also while Temporal is away', async () => {
    const path = `/backups/${physical.setId}`;
    expect((await app.call('GET', path)).json).toMatchObject({
      id: physical.setId,
      manifest: { setId: physical.setId, files: [{ name: 'postgres/backup_manifest' }, { name: 'postgres/base.tar' }] },
      verification: { status: 'none' },
    });
    app.control.verification.mockRejectedValueOnce(new DomainError('unavailable', 'away'));
    expect((await app.call('GET', path)).json.verification).toBeNull();
    for (const id of ['no-id', '20300131T031700Z-0f3a9c1b', '99999999T999999Z-0f3a9c1b'])
      expect((await app.call('GET', `/backups/${id}`)).status).toBe(404);
  });

  it('say where backups stand', async () => {
    const { json } = await app.call('GET', '/backups/status');
    expect(json).toMatchObject({
      targets: [{ target: 'near', sets: 2, newest_verified: physical.setId, newest_kind: 'physical', met: false }],
      log: null,
      drill: null,
    });
    await writeRecoveryStatus(world.dir, { atMs: nowMs, targets: [], log: 'refused', drill: null });
    expect((await app.call('GET', '/backups/status')).json.log).toBe('refused');
    expect(json.targets[0].restorable).toContain(`${logical.finishedAt} (this moment only)`);
  });

  it('start a backup, one at a time', async () => {
    const started = await app.call('POST', '/backups', { body: { label: ' before ' } });
    expect(started).toMatchObject({ status: 202, json: { workflow_id: 'backup', run_id: 'run-9' } });
    expect(app.control.startBackup).toHaveBeenCalledWith({ requestedBy: 'key:admin-key', label: 'before' });
    expect(app.world.audit).toMatchObject([{ action: 'backup.start', actor: 'key:admin-key' }]);
    app.control.startBackup.mockRejectedValueOnce(new DomainError('conflict', 'A backup is running'));
    expect((await app.call('POST', '/backups')).status).toBe(409);
    expect((await app.call('POST', '/backups', { key: 'monitor' })).status).toBe(403);
    expect((await app.call('POST', '/backups', { body: { lable: 'x' } })).status).toBe(422);
  });

  it('list drills, and start one of a target that there is', async () => {
    const { json } = await app.call('GET', '/backups/drills', { key: 'monitor' });
    const [passed, failed] = (json as { drills: unknown[] }).drills;
    expect(passed).toMatchObject({ outcome: 'passed', set_id: physical.setId, restore_ms: 900, failure: null });
    expect(failed).toMatchObject({ outcome: 'failed', set_id: null, restore_ms: null, failure: 'no set' });
    expect((await app.call('GET', '/backups/drills?limit=1')).json.drills).toHaveLength(1);
    expect(await app.call('POST', '/backups/drills')).toMatchObject({
      status: 202,
      json: { workflow_id: 'drill/platform' },
    });
    expect(app.control.startDrill).toHaveBeenCalledWith({ target: 'near' });
    expect(app.world.audit).toMatchObject([
      { action: 'drill.start', actor: 'key:admin-key', details: { target: 'near' } },
    ]);
    expect(await app.call('POST', '/backups/drills', { body: { target: 'far' } })).toMatchObject({
      status: 404,
      json: { problems: [{ field: 'target', allowed: ['near'] }] },
    });
    app.control.startDrill.mockRejectedValueOnce(new DomainError('conflict', 'A drill is running'));
    expect((await app.call('POST', '/backups/drills')).status).toBe(409);
    expect((await app.call('POST', '/backups/drills', { key: 'monitor' })).status).toBe(403);
    expect(app.control.startDrill).toHaveBeenCalledTimes(2);
  });

  it('verify a set where it is, and know no set that is nowhere', async () => {
    const path = `/backups/${logical.setId}/verify`;
    expect(await app.call('POST', path)).toMatchObject({ status: 202 });
    expect(app.control.startVerification).toHaveBeenCalledWith({ setId: logical.setId, target: 'near' });
    expect((await app.call('POST', '/backups/20300131T031700Z-0f3a9c1b/verify')).status).toBe(404);
    expect(app.control.startVerification).toHaveBeenCalledOnce();
  });

  it('hold a set and let it go', async () => {
    const held = await app.call('POST', `/backups/${logical.setId}/hold`, { body: { reason: 'audit' } });
    expect(held.json).toEqual({ id: logical.setId, hold: 'audit', targets: ['near'] });
    expect((await world.target.find()).map((set) => set.hold)).toEqual([null, 'audit']);
    expect((await app.call('POST', `/backups/${logical.setId}/release`)).json.hold).toBeNull();
    expect((await world.target.find()).map((set) => set.hold)).toEqual([null, null]);
    expect(app.world.audit.map((entry) => entry.action)).toEqual(['backup.hold', 'backup.release']);
  });

  it('list sets that cannot be read with the reason', async () => {
    const path = world.pathOf(`sets/${logical.setId}/manifest.json`);
    const text = await readFile(path, 'utf8');
    await rm(path);
    await writeFile(path, text.replace('"signature": "', '"signature": "AA'));
    const { json } = await app.call('GET', '/backups');
    expect(json.sets[0]).toMatchObject({ id: logical.setId, kind: null, restorable: null });
    expect(json.sets[0].problem).toContain('manifest');
  });

  it('refuse names of restore points before they ask a database', async () => {
    for (const name of ['', ' ', 'a b', '-a', 'x'.repeat(64), "a'b"]) {
      const refused = await app.call('POST', '/restore-points', { body: { name } });
      expect(refused).toMatchObject({ status: 422, fields: ['name'] });
    }
    expect((await app.call('GET', '/restore-points')).json).toEqual({ points: [] });
  });
});
