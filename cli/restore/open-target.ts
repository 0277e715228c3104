import { join } from 'node:path';
import { openObjectStore } from '../../adapters/object-stores/open-object-store.ts';
import { parseTargets, type BackupTarget } from '../../adapters/object-stores/parse-target.ts';
import { loadVaultKeys } from '../../recovery/vault/vault-keys.ts';
import { createVaultTarget, type VaultTarget } from '../../recovery/vault/vault-target.ts';
import { UsageError } from '../errors.ts';
import type { Environment } from '../settings.ts';

export interface TargetOptions {
  /** As in SLUICE_BACKUP_TARGETS; default its first one. */
  readonly target?: string;
  readonly identity?: string;
  /** Public key of whoever signed the sets; default any, as the platform that wrote them may be gone. */
  readonly signer?: string;
}

/** Opens one target from the command line and the environment alone: there may be no platform any more. */
export async function openTarget(options: TargetOptions, home: string, env: Environment): Promise<VaultTarget> {
  const set = (name: string): string | null => ((env[name] ?? '') === '' ? null : (env[name] ?? null));
  const credentials = {
    s3: {
      accessKeyId: set('AWS_ACCESS_KEY_ID'),
      secretAccessKey: set('AWS_SECRET_ACCESS_KEY'),
      sessionToken: set('AWS_SESSION_TOKEN'),
      containerUri: set('AWS_CONTAINER_CREDENTIALS_FULL_URI'),
      containerTokenFile: set('AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'),
    },
    azure: { accountKey: set('AZURE_STORAGE_KEY'), sasToken: set('AZURE_STORAGE_SAS_TOKEN') },
    gcsKeyFile: set('GOOGLE_APPLICATION_CREDENTIALS'),
  };
  const store = await openObjectStore(chooseTarget(options.target ?? null, home, env), credentials);
  const keys = await loadVaultKeys({
    recipients: [],
    identityFile: options.identity ?? set('SLUICE_BACKUP_IDENTITY_FILE'),
    signingKeyFile: set('SLUICE_BACKUP_SIGNING_KEY_FILE') ?? join(home, 'backup', 'signing-key.pem'),
    trustedSigners: options.signer === undefined ? 'any' : [options.signer],
  });
  return createVaultTarget(store, keys);
}

/** An address, or the name of one of the configured targets. */
function chooseTarget(wanted: string | null, home: string, env: Environment): BackupTarget {
  const region = env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'] ?? null;
  const written = (env['SLUICE_BACKUP_TARGETS'] ?? '').trim();
  // As the platform itself: by default the folder of the home.
  const ofHome = { kind: 'folder', name: 'folder', dir: join(home, 'backups'), lockDays: null } as const;
  const configured = written === 'off' ? [] : written === '' ? [ofHome] : parseTargets(written, region);
  const chosen =
    wanted === null
      ? configured[0]
      : (configured.find((target) => target.name === wanted) ?? parseTargets(wanted, region)[0]);
  if (chosen !== undefined) return chosen;
  throw new UsageError(
    'No backup target is named',
    [{ field: '--target', message: 'is missing', allowed: configured.map((target) => target.name) }],
    'For example: sluice restore --target /mnt/backups --identity key.txt',
  );
}
