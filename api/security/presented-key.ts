const BEARER = /^Bearer +(\S+)$/i;
const BASIC = /^Basic +([A-Za-z0-9+/]+=*)$/i;

/** Where a key may be. */
export type KeyHeader = 'x-api-key' | 'authorization';

/**
 * The API key of a request: `X-API-Key`, or `Authorization` for clients that know only that header: `Bearer <key>`, or
 * `Basic` with the key as user name or as password (what a URL `http://<key>:@host` becomes). `null` when there is none.
 */
export function presentedKey(header: (name: KeyHeader) => string | undefined): string | null {
  const key = header('x-api-key');
  if (key !== undefined && key !== '') return key;
  const authorization = header('authorization');
  if (authorization === undefined) return null;
  return BEARER.exec(authorization)?.[1] ?? basicKey(authorization);
}

function basicKey(authorization: string): string | null {
  const encoded = BASIC.exec(authorization)?.[1];
  if (encoded === undefined) return null;
  const [user = '', ...rest] = Buffer.from(encoded, 'base64').toString('utf8').split(':');
  const password = rest.join(':');
  return password || user || null;
}
