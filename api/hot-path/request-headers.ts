import type { IncomingMessage } from 'node:http';

/** The headers that a prediction looks at. */
export interface RequestHeaders {
  'x-api-key'?: string | undefined;
  authorization?: string | undefined;
  'content-type'?: string | undefined;
  'content-length'?: string | undefined;
  'transfer-encoding'?: string | undefined;
  'x-request-id'?: string | undefined;
  traceparent?: string | undefined;
}

type Name = keyof RequestHeaders;

/** By the length of their names, which tells most other headers apart at once. */
const NAMES_BY_LENGTH: ReadonlyMap<number, readonly Name[]> = new Map<number, readonly Name[]>([
  [9, ['x-api-key']],
  [11, ['traceparent']],
  [12, ['content-type', 'x-request-id']],
  [13, ['authorization']],
  [14, ['content-length']],
  [17, ['transfer-encoding']],
]);

/**
 * Reads them from the raw list: Node's own object of all headers, made at the first look, takes longer than the check
 * of the key. A header that comes twice is left to that object and its rules.
 */
export function readHeaders(incoming: IncomingMessage): RequestHeaders {
  const raw = incoming.rawHeaders;
  const found: RequestHeaders = {};
  for (let i = 0; i < raw.length; i += 2) {
    const given = raw[i] as string;
    const names = NAMES_BY_LENGTH.get(given.length);
    if (names === undefined) continue;
    const lower = given.toLowerCase();
    for (const name of names) {
      if (name !== lower) continue;
      if (found[name] !== undefined) return namedBy(incoming);
      found[name] = raw[i + 1];
    }
  }
  return found;
}

function namedBy({ headers }: IncomingMessage): RequestHeaders {
  const found: RequestHeaders = {};
  for (const names of NAMES_BY_LENGTH.values()) {
    for (const name of names) {
      const value = headers[name];
      found[name] = Array.isArray(value) ? value.join(', ') : value;
    }
  }
  return found;
}
