/** Keys whose values are never logged, compared in lower case without `-` and `_`. */
const SECRET_KEY =
  /passw(or)?d|passphrase|secret|apikey|authorization|cookie|credential|privatekey|accesskey|token$|databaseurl|connectionstring/;

/**
 * Secrets by their looks, wherever they stand: in a message, a URL, a stack trace. The bounds on repetitions keep the
 * time linear on long texts without a match. No pattern takes a quote along, so that a JSON line stays one.
 */
const SECRET_VALUES: readonly (readonly [RegExp, string])[] = [
  // API keys of this platform. Their short prefix, shown in lists to recognise a key by, stays readable.
  [/\bsk_live_[A-Za-z0-9]{12,}/g, 'sk_live_[redacted]'],
  // Up to the last `@` of the word: a password may hold one.
  [/\b([a-z][a-z0-9+.-]{1,20}:\/\/[^\s:@/"'\\]{0,200}):[^\s"'\\]{1,2000}@/gi, '$1:[redacted]@'],
  [/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/-]{8,}=*/g, '$1 [redacted]'],
  [/\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+/g, '[redacted]'],
  [/\b(AKIA|ASIA)[A-Z0-9]{16}\b/g, '[redacted]'],
  [/\b(password|passwd|secret|token|api[_-]?key)=[^\s&;,"'\\]{1,2000}/gi, '$1=[redacted]'],
  // JSON inside a text, whose quotes may be escaped.
  [/(\\?"(?:password|secret|token|api_?key|authorization)\\?"\s{0,5}:\s{0,5}\\?")[^"\\]{1,2000}/gi, '$1[redacted]'],
  [/-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^"]{0,20000}?-----END [A-Z ]{0,30}PRIVATE KEY-----/g, '[redacted]'],
];

const REDACTED = '[redacted]';
/** Bounds of what one log line may hold; deeper or longer is cut, and said so. */
const DEPTH_MAX = 8;
const ITEMS_MAX = 100;
const TEXT_MAX = 16_000;

/** The text with everything that looks like a secret replaced. */
export function scrubText(text: string): string {
  let scrubbed = text;
  for (const [pattern, replacement] of SECRET_VALUES) scrubbed = scrubbed.replace(pattern, replacement);
  return scrubbed;
}

function boundedText(text: string): string {
  return scrubText(text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}… (cut, ${text.length} characters)` : text);
}

/** A copy for the log: secrets replaced by key and by looks, errors as plain objects, bounded in depth and length. */
export function scrub(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return boundedText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return value;
  if (depth >= DEPTH_MAX) return '[deeper]';
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return scrubItems(value, depth);
  if (value instanceof Map || value instanceof Set) return scrubItems([...value], depth);
  const source = value instanceof Error ? errorFields(value) : value;
  return scrubFields(source, depth);
}

function scrubItems(items: readonly unknown[], depth: number): unknown[] {
  const kept = items.slice(0, ITEMS_MAX).map((item) => scrub(item, depth + 1));
  if (items.length > ITEMS_MAX) kept.push(`[${items.length - ITEMS_MAX} more]`);
  return kept;
}

function scrubFields(source: object, depth: number): Record<string, unknown> {
  const scrubbed: Record<string, unknown> = {};
  const entries = Object.entries(source);
  for (const [key, value] of entries.slice(0, ITEMS_MAX)) {
    const isSecret = SECRET_KEY.test(key.toLowerCase().replaceAll(/[-_]/g, ''));
    const name = scrubText(key);
    scrubbed[name] = isSecret && value !== null && value !== undefined ? REDACTED : scrub(value, depth + 1);
  }
  if (entries.length > ITEMS_MAX) scrubbed['…'] = `[${entries.length - ITEMS_MAX} more]`;
  return scrubbed;
}

/**
 * What is logged of an error. Not every property: drivers attach statements, parameters, requests and their headers.
 */
function errorFields(error: Error): Record<string, unknown> {
  const fields: Record<string, unknown> = { type: error.name, message: error.message, stack: error.stack };
  for (const name of ['code', 'problems', 'cause', 'errors'] as const) {
    const value: unknown = (error as unknown as Record<string, unknown>)[name];
    if (value !== undefined) fields[name] = value;
  }
  return fields;
}
