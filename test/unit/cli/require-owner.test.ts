import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createFolderStore } from '../../../adapters/object-stores/folder-store.ts';
import { requireOwner } from '../../../cli/backup/require-owner.ts';
import { openRegionHome } from '../../../recovery/region/region-home.ts';
import { createRegionObjects } from '../../../recovery/region/region-objects.ts';
import { loadVaultKeys } from '../../../recovery/vault/vault-keys.ts';
import { createVaultTarget } from '../../../recovery/vault/vault-target.ts';

it('a region that does not own the epoch may not prune what it shares', async () => {
  const home = mkdtempSync(join(tmpdir(), 'require-owner-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const keys = await loadVaultKeys({
    recipients: [],
    identityFile: null,
    signingKeyFile: join(home, 'signing.pem'),
    trustedSigners: [],
  });
  const store = createFolderStore(join(home, 'shared'));
  const vaults = [{ name: 'shared', vault: createVaultTarget(store, keys), keys }];
  const prune = (target = 'shared') => requireOwner({ region: 'east', target }, home, vaults);
  const claim = { epoch: 1, region: 'east', holder: openRegionHome(home, 'active').holder, atMs: 0, reason: '' };
  const objects = createRegionObjects(store, keys);
  await prune();
  await objects.claim(claim);
  await prune();
  await objects.claim({ ...claim, epoch: 2, region: 'west', holder: 'home-of-west' });
  await expect(prune()).rejects.toMatchObject({
    code: 'fenced',
    message: expect.stringContaining('Region west owns epoch 2, not region east'),
    problems: [{ field: '--target', message: 'shared is shared' }],
  });
  // A target of this region alone is its own affair.
  await prune('far');
});
