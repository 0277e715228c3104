import type { AzureCredentialSources } from './credentials/azure-credentials.ts';
import type { S3CredentialSources } from './credentials/s3-credentials.ts';
import type { ObjectStore } from './object-store.ts';
import type { BackupTarget } from './parse-target.ts';

export interface StoreCredentials {
  readonly s3: S3CredentialSources;
  readonly azure: AzureCredentialSources;
  /** Path of a service account's key file. */
  readonly gcsKeyFile: string | null;
}

/** Opens a target; each driver is loaded when it is the first time needed. Nothing is asked of the store yet. */
export async function openObjectStore(target: BackupTarget, credentials: StoreCredentials): Promise<ObjectStore> {
  const objectLock = target.lockDays !== null;
  if (target.kind === 'folder') {
    const { createFolderStore } = await import('./folder-store.ts');
    return createFolderStore(target.dir);
  }
  if (target.kind === 's3') {
    const [{ createS3Store }, { createS3Credentials }] = await Promise.all([
      import('./s3-store.ts'),
      import('./credentials/s3-credentials.ts'),
    ]);
    return createS3Store({ ...target, objectLock, credentials: createS3Credentials(credentials.s3) });
  }
  if (target.kind === 'gcs') {
    const [{ createGcsStore }, { createGcsCredentials }] = await Promise.all([
      import('./gcs-store.ts'),
      import('./credentials/gcs-credentials.ts'),
    ]);
    // An emulator without a key file is asked without a token.
    const open = target.endpoint !== null && credentials.gcsKeyFile === null;
    const token = open ? () => Promise.resolve(null) : createGcsCredentials(credentials.gcsKeyFile);
    return createGcsStore({ ...target, objectLock, token });
  }
  const [{ createAzureStore }, { createAzureCredentials }] = await Promise.all([
    import('./azure-store.ts'),
    import('./credentials/azure-credentials.ts'),
  ]);
  return createAzureStore({ ...target, objectLock, credentials: createAzureCredentials(credentials.azure) });
}
