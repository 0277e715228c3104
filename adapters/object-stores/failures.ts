import { DomainError } from '../../domain/errors.ts';

/** What a store answered that is no success; `code` is the store's own word. */
export interface StoreRefusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

const LOCKED = /ObjectLocked|RetentionPolicy|BlobImmutableDueToPolicy|UnderActive(?:Legal)?Hold|retentionPolicyNotMet/i;
/** S3 says no more than AccessDenied in its code, and Google no more than forbidden of a lock of one object. */
const LOCKED_TEXT = /protected by object lock|object retention|retention (?:policy|configuration)|WORM protected/i;
const FULL = /full|quota|insufficientstorage|limitexceeded/i;

/** One rule for all stores, so that a person reads the same sentence whichever store it is. */
export function refusalError(address: string, key: string | null, refusal: StoreRefusal): DomainError {
  const { status, code } = refusal;
  const said = `${code === '' ? `status ${status}` : code}${refusal.message === '' ? '' : `: ${refusal.message.slice(0, 300)}`}`;
  const what = key === null ? address : `${key} in ${address}`;
  if (/^(NoSuchBucket|ContainerNotFound|ContainerBeingDeleted)$/.test(code)) {
    return target(address, `there is no such bucket or container (${said})`, 'create it, or name one that is there');
  }
  if (/^(PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraintException)$/.test(code)) {
    return target(address, `the bucket lies in another region (${said})`, '?region=... as the store says');
  }
  if (LOCKED.test(code) || (status === 403 && LOCKED_TEXT.test(refusal.message))) {
    return new DomainError('refused', `${what} is locked by the store and cannot be removed yet (${said})`);
  }
  if (status === 401 || status === 403) {
    return new DomainError('forbidden', `${address} does not permit this: ${said}`, [
      {
        field: 'target',
        message: 'the credentials lack a right',
        allowed: ['read, write, list and delete below the prefix'],
      },
    ]);
  }
  if (status === 404) return new DomainError('notFound', `There is no ${what}`);
  if (status === 409 || status === 412) return new DomainError('conflict', `${what} is there already (${said})`);
  if (status === 507 || FULL.test(code)) return new DomainError('unavailable', `${address} is full (${said})`);
  if (status >= 500 || status === 408 || status === 429) {
    return new DomainError('unavailable', `${address} fails (${said})`);
  }
  return target(address, `the store refuses the request (${said})`, 'check address, bucket, region and prefix');
}

function target(address: string, message: string, works: string): DomainError {
  return new DomainError('invalidInput', `The backup target ${address} cannot be used: ${message}`, [
    { field: 'target', message, allowed: [works] },
  ]);
}

export function unreachable(address: string, error: unknown): DomainError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const why = code !== '' ? code : cause instanceof Error ? cause.message : String(cause);
  return new DomainError(
    'unavailable',
    `${address} cannot be reached: ${NETWORK_FAILURES[code] ?? 'the connection failed'} (${why})`,
  );
}

const NETWORK_FAILURES: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'its name cannot be looked up now',
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer',
  ETIMEDOUT: 'it does not answer',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is not one that this machine trusts',
};
