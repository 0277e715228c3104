import { readFile } from 'node:fs/promises';
import { DomainError } from '../../../domain/errors.ts';
import { askForToken } from './ask-for-token.ts';
import { createKeptToken, type Expiring } from './kept-token.ts';

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Where credentials may come from, in the order in which they are tried. Values by the names AWS's own tools use. */
export interface S3CredentialSources {
  readonly accessKeyId: string | null;
  readonly secretAccessKey: string | null;
  readonly sessionToken: string | null;
  /** ECS and EKS pod identity: `AWS_CONTAINER_CREDENTIALS_FULL_URI` and its token. */
  readonly containerUri: string | null;
  readonly containerTokenFile: string | null;
}

const INSTANCE = 'http://169.254.169.254/latest';

/** Keys of the configuration, else those of the container, else those of the EC2 instance's role. */
export function createS3Credentials(sources: S3CredentialSources): () => Promise<S3Credentials> {
  const { accessKeyId, secretAccessKey, sessionToken, containerUri, containerTokenFile } = sources;
  if (accessKeyId !== null && secretAccessKey !== null) {
    const keys = { accessKeyId, secretAccessKey, ...(sessionToken === null ? {} : { sessionToken }) };
    return () => Promise.resolve(keys);
  }
  return createKeptToken(async () => {
    if (containerUri !== null) {
      const token = containerTokenFile === null ? null : (await readFile(containerTokenFile, 'utf8')).trim();
      return readKeys(await askForToken(containerUri, token === null ? {} : { authorization: token }));
    }
    return fromInstance().catch(() => {
      throw new DomainError('forbidden', 'There are no credentials for S3', [
        {
          field: 'AWS_ACCESS_KEY_ID',
          message: 'is not set, and this machine has no role either',
          allowed: ['AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY', 'an IAM role of the container or instance'],
        },
      ]);
    });
  });
}

async function fromInstance(): Promise<Expiring<S3Credentials>> {
  const ttl = { 'x-aws-ec2-metadata-token-ttl-seconds': '300' };
  const token = await askForToken(`${INSTANCE}/api/token`, ttl, { method: 'PUT' });
  const headers = { 'x-aws-ec2-metadata-token': token };
  const role = await askForToken(`${INSTANCE}/meta-data/iam/security-credentials/`, headers);
  return readKeys(await askForToken(`${INSTANCE}/meta-data/iam/security-credentials/${role.trim()}`, headers));
}

function readKeys(json: string): Expiring<S3Credentials> {
  const keys = JSON.parse(json) as Readonly<Record<'AccessKeyId' | 'SecretAccessKey' | 'Token' | 'Expiration', string>>;
  const value = { accessKeyId: keys.AccessKeyId, secretAccessKey: keys.SecretAccessKey, sessionToken: keys.Token };
  return { value, expiresAtMs: Date.parse(keys.Expiration) };
}
