/** How an API key looks, is made and is recognised. Knows neither HTTP nor the database. */
import { createHash, randomInt, randomUUID } from 'node:crypto';
import type { ApproverRole } from '../../domain/approver-role.ts';
import { DEFAULT_TIER } from '../../domain/rate-tier.ts';
import type { RateTier } from '../../domain/rate-tier.ts';
import type { Permission } from '../../domain/records.ts';

const PREFIX = 'sk_live_';
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 30 characters of base 62 hold 178 random bits. */
const SECRET_LENGTH = 30;
/** 62^6 is larger than 2^32: six characters hold every CRC32. */
const CHECKSUM_LENGTH = 6;
/** What lists show of a key: the fixed prefix and the first 4 characters of the secret. */
const SHOWN_LENGTH = PREFIX.length + 4;

const KEY_PATTERN = new RegExp(`^${PREFIX}[0-9A-Za-z]{${String(SECRET_LENGTH + CHECKSUM_LENGTH)}}$`);

/** CRC-32 of ISO 3309 (the one of gzip and PNG), polynomial 0xEDB88320 reflected. */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit += 1) c = (c & 1) === 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c;
});

function crc32(text: string): number {
  let crc = 0xffffffff;
  for (let i = 0; i < text.length; i += 1) {
    crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ text.charCodeAt(i)) & 0xff] ?? 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function base62(value: number, length: number): string {
  let rest = value;
  let text = '';
  for (let i = 0; i < length; i += 1) {
    text = ALPHABET.charAt(rest % 62) + text;
    rest = Math.floor(rest / 62);
  }
  return text;
}

const checksum = (body: string): string => base62(crc32(body), CHECKSUM_LENGTH);

/** A key with a right prefix, alphabet, length and checksum: anything else was mistyped or made up. */
export function isWellFormedApiKey(key: string): boolean {
  if (!KEY_PATTERN.test(key)) return false;
  const body = key.slice(0, -CHECKSUM_LENGTH);
  return checksum(body) === key.slice(-CHECKSUM_LENGTH);
}

/**
 * What is stored of a key: lower-case hex SHA-256. A slow password hash would add nothing: the secret is random and
 * has 178 bits, so there is no dictionary to slow down.
 */
export function hashApiKey(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

export interface NewApiKey {
  /** Shown once to its owner, stored nowhere. */
  readonly key: string;
  /** What `KeyStore.create` takes. */
  readonly row: {
    readonly id: string;
    readonly name: string;
    readonly prefix: string;
    readonly hash: string;
    readonly permissions: readonly Permission[];
    readonly tier: RateTier;
    readonly roles: readonly ApproverRole[];
    readonly expiresAt: Date | null;
  };
}

/** Draws a new key. `randomInt` is cryptographic and unbiased over the 62 characters. */
export function createApiKey(
  name: string,
  permissions: readonly Permission[],
  expiresAt: Date | null = null,
  tier: RateTier = DEFAULT_TIER,
  roles: readonly ApproverRole[] = [],
): NewApiKey {
  let body = PREFIX;
  for (let i = 0; i < SECRET_LENGTH; i += 1) body += ALPHABET.charAt(randomInt(62));
  const key = body + checksum(body);
  const prefix = key.slice(0, SHOWN_LENGTH);
  return { key, row: { id: randomUUID(), name, prefix, hash: hashApiKey(key), permissions, tier, roles, expiresAt } };
}
