import { DomainError } from './errors.ts';
import type { Route, RoutingTable } from './routing.ts';

/** Resolution of the assignment: one bucket is 0.01 % of the keys, the finest step of a weight. */
export const BUCKETS = 10_000;
const BUCKETS_PER_PERCENT = BUCKETS / 100;

/**
 * The route of one key. Sticky: the same table and key give the same route. Monotone: the candidate owns the buckets
 * from 0 up to its weight and the baseline those from the top down, so a key on the candidate stays there while the
 * weight grows. A new salt reshuffles. A shadow is nobody's route.
 * @throws DomainError `unavailable` when the table has no route
 */
export function assignRoute(table: RoutingTable, key: string): Route {
  const only = table.routes[0];
  if (only === undefined) throw new DomainError('unavailable', `No version of ${table.model} is routed`);
  if (table.routes.length === 1) return only;
  const bucket = bucketOf(table.salt, key);
  let champion: Route | undefined;
  let found: Route | undefined;
  for (const route of table.routes) {
    const buckets = Math.round(route.weightPercent * BUCKETS_PER_PERCENT);
    if (route.variant === 'champion') champion ??= route;
    else if (route.variant === 'candidate' && bucket < buckets) found ??= route;
    else if (route.variant === 'baseline' && bucket >= BUCKETS - buckets) found ??= route;
  }
  return found ?? champion ?? only;
}

/**
 * The shadow that a request is copied to, if any. Chosen under a salt of its own, so that the copies are a fair sample
 * of every variant's requests.
 */
export function assignShadow(table: RoutingTable, key: string): Route | null {
  for (const route of table.routes) {
    if (route.variant !== 'shadow') continue;
    const buckets = Math.round((route.mirrorPercent ?? 0) * BUCKETS_PER_PERCENT);
    return buckets > 0 && bucketOf(`${table.salt}/shadow`, key) < buckets ? route : null;
  }
  return null;
}

/** Uniform bucket of a key under a salt, 0..9999. 2^32 is no multiple of 10,000: the bias is below 3e-6. */
export function bucketOf(salt: string, key: string): number {
  // The separator cannot be part of a salt written as text, so ("ab", "c") and ("a", "bc") differ.
  return murmur3(`${salt}\u0000${key}`) % BUCKETS;
}

const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;

/**
 * MurmurHash3_x86_32 (Austin Appleby, public domain; SMHasher) over the UTF-8 bytes of the text, without building
 * them. A lone surrogate hashes as U+FFFD, as every UTF-8 encoder writes it.
 * @returns unsigned 32-bit integer
 */
export function murmur3(text: string, seed = 0): number {
  const state = { hash: seed | 0, word: 0, bytes: 0 };
  for (let i = 0; i < text.length; i += 1) {
    const code = codePointAt(text, i);
    if (code > 0xffff) i += 1;
    if (code < 0x80) {
      push(state, code);
    } else if (code < 0x800) {
      push(state, 0xc0 | (code >> 6));
      push(state, 0x80 | (code & 0x3f));
    } else if (code <= 0xffff) {
      push(state, 0xe0 | (code >> 12));
      push(state, 0x80 | ((code >> 6) & 0x3f));
      push(state, 0x80 | (code & 0x3f));
    } else {
      push(state, 0xf0 | (code >> 18));
      push(state, 0x80 | ((code >> 12) & 0x3f));
      push(state, 0x80 | ((code >> 6) & 0x3f));
      push(state, 0x80 | (code & 0x3f));
    }
  }
  return finish(state);
}

interface HashState {
  hash: number;
  /** Little-endian bytes of the unfinished 32-bit word. */
  word: number;
  bytes: number;
}

function push(state: HashState, byte: number): void {
  state.word |= byte << ((state.bytes & 3) << 3);
  state.bytes += 1;
  if ((state.bytes & 3) !== 0) return;
  state.hash = rotateLeft(state.hash ^ mixWord(state.word), 13);
  state.hash = (Math.imul(state.hash, 5) + 0xe6546b64) | 0;
  state.word = 0;
}

function finish(state: HashState): number {
  let hash = state.hash;
  if ((state.bytes & 3) !== 0) hash ^= mixWord(state.word);
  hash ^= state.bytes;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function mixWord(word: number): number {
  return Math.imul(rotateLeft(Math.imul(word, C1), 15), C2);
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function codePointAt(text: string, index: number): number {
  const code = text.codePointAt(index) ?? 0;
  return code >= 0xd800 && code <= 0xdfff ? 0xfffd : code;
}
