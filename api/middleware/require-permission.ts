import type { MiddlewareHandler } from 'hono';
import { DomainError } from '../../domain/errors.ts';
import type { Permission } from '../../domain/records.ts';
import type { AppEnv } from '../app-env.ts';
import { isAllowed } from '../security/key-directory.ts';
import type { KeyCheck, KeyDirectory, Principal } from '../security/key-directory.ts';
import { presentedKey } from '../security/presented-key.ts';
import type { KeyHeader } from '../security/presented-key.ts';

const REFUSALS: Readonly<Record<Exclude<KeyCheck['kind'], 'valid' | 'notLoaded'>, string>> = {
  malformed: 'What was sent as the API key is not one: its form or checksum is wrong, so it was probably mistyped',
  unknown: 'The API key is not known here',
  revoked: 'The API key was revoked',
  expired: 'The API key has expired',
};

/**
 * Who calls, when the key that a request brings has the permission.
 * @throws DomainError `unauthenticated`, `forbidden` (naming the permission), `unavailable` (keys not loaded yet)
 */
export function authorise(
  keys: Pick<KeyDirectory, 'check'>,
  permission: Permission,
  header: (name: KeyHeader) => string | undefined,
): Principal {
  const key = presentedKey(header);
  if (key === null) {
    throw new DomainError('unauthenticated', `Send an API key with the permission ${permission} in X-API-Key`);
  }
  const check = keys.check(key);
  if (check.kind === 'notLoaded') throw new DomainError('unavailable', 'The API keys are not loaded yet');
  if (check.kind !== 'valid') throw new DomainError('unauthenticated', REFUSALS[check.kind]);
  if (!isAllowed(check.principal, permission)) {
    const held = check.principal.permissions.join(', ');
    throw new DomainError('forbidden', `This needs the permission ${permission}; the key has: ${held}`);
  }
  return check.principal;
}

/** Lets a request through when its key has the permission, and notes who calls. */
export function requirePermission(
  keys: Pick<KeyDirectory, 'check'>,
  permission: Permission,
): MiddlewareHandler<AppEnv> {
  return (c, next) => {
    c.set(
      'principal',
      authorise(keys, permission, (name) => c.req.header(name)),
    );
    return next();
  };
}
