import { createSign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { DomainError } from '../../../domain/errors.ts';
import { askForToken } from './ask-for-token.ts';
import { createKeptToken, type Expiring } from './kept-token.ts';

const SCOPE = 'https://www.googleapis.com/auth/devstorage.read_write';
const METADATA = 'http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token';
const TOKEN_SECONDS = 3_600;

interface ServiceAccount {
  readonly client_email: string;
  readonly private_key: string;
  readonly token_uri: string;
}

/**
 * A token for Google Cloud Storage: of the service account in `GOOGLE_APPLICATION_CREDENTIALS`, else of the machine
 * (GCE, GKE workload identity). `null` for an emulator that asks for none.
 */
export function createGcsCredentials(keyFile: string | null): () => Promise<string | null> {
  return createKeptToken(async () => {
    if (keyFile !== null) return byServiceAccount(await readServiceAccount(keyFile));
    const json = await askForToken(METADATA, { 'metadata-flavor': 'Google' }).catch(() => {
      throw new DomainError('forbidden', 'There are no credentials for Google Cloud Storage', [
        {
          field: 'GOOGLE_APPLICATION_CREDENTIALS',
          message: 'is not set, and this machine has no service account either',
          allowed: ['the path of a service account key file', 'workload identity'],
        },
      ]);
    });
    return readToken(json);
  });
}

async function readServiceAccount(path: string): Promise<ServiceAccount> {
  try {
    const account = JSON.parse(await readFile(path, 'utf8')) as Partial<ServiceAccount>;
    const { client_email, private_key, token_uri = 'https://oauth2.googleapis.com/token' } = account;
    if (client_email !== undefined && private_key !== undefined) return { client_email, private_key, token_uri };
  } catch {
    // Said below; an error of the parser might quote the key.
  }
  throw new DomainError('invalidInput', 'The key file for Google Cloud Storage cannot be used', [
    {
      field: 'GOOGLE_APPLICATION_CREDENTIALS',
      message: 'is not a readable key file of a service account',
      allowed: ['JSON with client_email and private_key'],
    },
  ]);
}

/** OAuth 2.0 by a signed assertion (RFC 7523). */
async function byServiceAccount(account: ServiceAccount): Promise<Expiring<string>> {
  const nowSeconds = Math.floor(Date.now() / 1000);
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  const claims = {
    iss: account.client_email,
    scope: SCOPE,
    aud: account.token_uri,
    iat: nowSeconds,
    exp: nowSeconds + TOKEN_SECONDS,
  };
  const unsigned = `${encode({ alg: 'RS256', typ: 'JWT' })}.${encode(claims)}`;
  const assertion = `${unsigned}.${createSign('RSA-SHA256').update(unsigned).sign(account.private_key, 'base64url')}`;
  const form = new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion });
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return readToken(await askForToken(account.token_uri, headers, { method: 'POST', body: form.toString() }));
}

function readToken(json: string): Expiring<string> {
  const answer = JSON.parse(json) as { readonly access_token: string; readonly expires_in: number };
  return { value: answer.access_token, expiresAtMs: Date.now() + answer.expires_in * 1000 };
}
