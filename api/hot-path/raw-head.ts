import type { Endpoint } from './find-endpoint.ts';
import type { RequestHeaders } from './request-headers.ts';

/** The head of a request that the lane answers. */
export interface RawHead {
  readonly url: string;
  readonly endpoint: Endpoint;
  readonly headers: RequestHeaders;
  readonly bodyBytes: number;
}

type EndpointFinder = (method: string, path: string) => Endpoint | null;

/** Larger ones are for Node's server and its limits. */
export const HEAD_CHARS_MAX = 4_096;
/** A prediction of some hundred features; large batches come in many pieces, which Node's server puts together. */
const BODY_BYTES_MAX = 16 * 1024;
/** Heads kept as they were read; bounded, as callers may make them up. */
const KNOWN_HEADS_MAX = 256;

export const HEAD_END = '\r\n\r\n';
const REQUEST_LINE = /^POST (\/[!-~]*) HTTP\/1\.1$/;
/** A token of RFC 9110, section 5.6.2. */
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Of a value: no control character, and so no line end of any kind, and nothing beyond ASCII. */
const VALUE = /^[\t\x20-\x7e]*$/;
const LENGTH = /^[0-9]{1,6}$/;

/** Headers that are read here. Each may come once. */
const READ: ReadonlySet<string> = new Set<keyof RequestHeaders | 'host' | 'connection'>([
  'host',
  'connection',
  'x-api-key',
  'authorization',
  'content-type',
  'content-length',
  'x-request-id',
  'traceparent',
]);

/** Headers that change how the body or the connection is read, or what may be answered: none of them is for the lane. */
const NOT_HERE: ReadonlySet<string> = new Set([
  'transfer-encoding',
  'content-encoding',
  'expect',
  'upgrade',
  'te',
  'trailer',
  'keep-alive',
  'proxy-connection',
  'http2-settings',
]);

/**
 * Reads the head of a plain request: the text before its empty line. `null` for anything else, valid or not: the
 * caller leaves it to a full parser. It knows one spelling of a request and therefore has nothing to be lenient about.
 */
function readRawHead(text: string, endpointOf: EndpointFinder): RawHead | null {
  const lines = text.split('\r\n');
  const url = REQUEST_LINE.exec(lines[0] ?? '')?.[1];
  const endpoint = url === undefined ? null : endpointOf('POST', url);
  if (url === undefined || endpoint === null) return null;
  const found: Record<string, string> = {};
  for (let i = 1; i < lines.length; i += 1) {
    const line = lines[i] as string;
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).toLowerCase();
    const value = line.slice(colon + 1);
    if (!NAME.test(name) || !VALUE.test(value) || NOT_HERE.has(name)) return null;
    if (!READ.has(name)) continue;
    if (Object.hasOwn(found, name)) return null;
    found[name] = value.trim();
  }
  const { host, connection = 'keep-alive', 'content-length': length, ...headers } = found;
  if (host === undefined || host === '' || connection.toLowerCase() !== 'keep-alive') return null;
  if (length === undefined || !LENGTH.test(length)) return null;
  const bodyBytes = Number(length);
  if (bodyBytes > Math.min(BODY_BYTES_MAX, endpoint.limitBytes)) return null;
  return { url, endpoint, bodyBytes, headers: { ...headers, 'content-length': length } };
}

/** The same with memory: a client sends the same head again and again, but for the length of its body. */
export function createHeadReader(endpointOf: EndpointFinder): (text: string) => RawHead | null {
  const known = new Map<string, RawHead>();
  return (text) => {
    const seen = known.get(text);
    if (seen !== undefined) return seen;
    const head = readRawHead(text, endpointOf);
    // An id or a trace of the caller's own makes every head another one.
    if (head?.headers['x-request-id'] !== undefined || head?.headers.traceparent !== undefined) return head;
    if (head === null) return head;
    if (known.size >= KNOWN_HEADS_MAX) known.clear();
    known.set(text, head);
    return head;
  };
}
