/** A process that keeps a standby and does nothing else, for tests that kill it: folder of the world and home in its arguments. */
import { join } from 'node:path';
import { createFolderStore } from '../../../adapters/object-stores/folder-store.ts';
import { createStandby } from '../../../recovery/region/standby.ts';
import { loadVaultKeys } from '../../../recovery/vault/vault-keys.ts';
import { createVaultTarget } from '../../../recovery/vault/vault-target.ts';

const [folder = '', home = '', recipient = ''] = process.argv.slice(2);
const keys = await loadVaultKeys({
  recipients: [recipient],
  identityFile: join(folder, 'key.txt'),
  signingKeyFile: join(folder, 'signing-key.pem'),
  trustedSigners: [],
});
const quiet = (): void => undefined;
const standby = createStandby({
  home,
  artefactDir: join(home, 'artefacts'),
  openTarget: () => Promise.resolve(createVaultTarget(createFolderStore(join(folder, 'target')), keys)),
  isTakenOver: () => Promise.resolve(false),
  log: { info: quiet, warn: quiet },
});
const tell = setInterval(() => process.send?.(standby.status()), 100);
await standby.follow(new AbortController().signal);
clearInterval(tell);
