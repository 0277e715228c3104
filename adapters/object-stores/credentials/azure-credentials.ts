import { DomainError } from '../../../domain/errors.ts';
import { askForToken } from './ask-for-token.ts';
import { createKeptToken } from './kept-token.ts';

export type AzureCredentials =
  | { readonly kind: 'key'; readonly key: string }
  /** Without the leading `?`. */
  | { readonly kind: 'sas'; readonly sas: string }
  | { readonly kind: 'token'; readonly token: string };

export interface AzureCredentialSources {
  readonly accountKey: string | null;
  readonly sasToken: string | null;
}

const MANAGED_IDENTITY =
  'http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fstorage.azure.com%2F';

/** The account's key or a SAS of the configuration, else the machine's managed identity. */
export function createAzureCredentials({
  accountKey,
  sasToken,
}: AzureCredentialSources): () => Promise<AzureCredentials> {
  if (accountKey !== null) return () => Promise.resolve({ kind: 'key', key: accountKey });
  if (sasToken !== null) return () => Promise.resolve({ kind: 'sas', sas: sasToken.replace(/^\?/, '') });
  return createKeptToken(async () => {
    const json = await askForToken(MANAGED_IDENTITY, { metadata: 'true' }).catch(() => {
      throw new DomainError('forbidden', 'There are no credentials for Azure Blob', [
        {
          field: 'AZURE_STORAGE_KEY',
          message: 'is not set, and this machine has no managed identity either',
          allowed: ['AZURE_STORAGE_KEY', 'AZURE_STORAGE_SAS_TOKEN', 'a managed identity'],
        },
      ]);
    });
    const answer = JSON.parse(json) as { readonly access_token: string; readonly expires_on: string };
    return { value: { kind: 'token', token: answer.access_token }, expiresAtMs: Number(answer.expires_on) * 1000 };
  });
}
