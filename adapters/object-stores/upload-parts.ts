import { createHash } from 'node:crypto';
import { DomainError } from '../../domain/errors.ts';
import type { PutOptions } from './object-store.ts';

/** Below it one request takes the whole object; also the size of the first parts. A multiple of GCS's 256 kB. */
const PART_BYTES = 8 * 1024 * 1024;
/** Stores take at least this many parts (S3: 10,000). */
const PARTS_MAX = 10_000;
/** Parts double in size every so many: 10,000 of them hold 496 GB, and one is never larger than 128 MB. */
const DOUBLED_EVERY = 2_000;

export interface Part {
  /** From 1. */
  readonly number: number;
  /** First byte of the part in the object. */
  readonly from: number;
  readonly bytes: Buffer;
  readonly last: boolean;
}

export interface Intake {
  /** At least one part, which may be empty. Throws `artefactCorrupt` before the last one when the digest does not fit. */
  readonly parts: AsyncGenerator<Part, void>;
  /** Of what was read so far. */
  readonly bytes: () => number;
  /** After the last part. */
  readonly sha256: () => string;
}

/** Cuts a stream into parts with at most one part in memory, and hashes it on the way. */
export function createIntake(key: string, content: AsyncIterable<Uint8Array>, options: PutOptions): Intake {
  const hash = createHash('sha256');
  let total = 0;
  let digest: string | null = null;
  const finish = (): string => (digest ??= hash.digest('hex'));
  async function* parts(): AsyncGenerator<Part, void> {
    let number = 1;
    let from = 0;
    let waiting: Uint8Array[] = [];
    let waitingBytes = 0;
    for await (const chunk of content) {
      options.signal?.throwIfAborted();
      hash.update(chunk);
      total += chunk.byteLength;
      options.onProgress?.(total);
      waiting.push(chunk);
      waitingBytes += chunk.byteLength;
      // Strictly more: what fills a part exactly may be the last of it.
      for (let size = partBytes(number); waitingBytes > size; size = partBytes(number)) {
        const all = Buffer.concat(waiting);
        yield { number, from, bytes: all.subarray(0, size), last: false };
        from += size;
        number += 1;
        if (number > PARTS_MAX)
          throw new DomainError('payloadTooLarge', `${key} is larger than a store takes (496 GB)`);
        waiting = [all.subarray(size)];
        waitingBytes -= size;
      }
    }
    const sha256 = finish();
    if (options.sha256 !== undefined && options.sha256 !== sha256) {
      throw new DomainError(
        'artefactCorrupt',
        `${key} is not stored: its content has the digest ${sha256}, not ${options.sha256}`,
      );
    }
    yield { number, from, bytes: Buffer.concat(waiting), last: true };
  }
  return { parts: parts(), bytes: () => total, sha256: finish };
}

function partBytes(number: number): number {
  return PART_BYTES * 2 ** Math.floor((number - 1) / DOUBLED_EVERY);
}

/** Parts on their way at once: keeps a line busy, and memory at three parts. */
const IN_FLIGHT_MAX = 2;

/** Sends parts two at a time, in any order of arrival; the first failure ends it, after those under way have ended. */
export async function sendParts<T>(
  parts: AsyncIterable<Part>,
  send: (part: Part) => Promise<T>,
): Promise<readonly T[]> {
  const results: T[] = [];
  const underWay = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | null = null;
  const failed = (): { readonly error: unknown } | null => failure;
  try {
    for await (const part of parts) {
      const sending: Promise<void> = send(part)
        .then(
          (result) => void (results[part.number - 1] = result),
          (error: unknown) => void (failure ??= { error }),
        )
        .finally(() => underWay.delete(sending));
      underWay.add(sending);
      if (underWay.size >= IN_FLIGHT_MAX) await Promise.race(underWay);
      if (failed() !== null) break;
    }
  } finally {
    await Promise.all(underWay);
  }
  const ended = failed();
  if (ended !== null) throw ended.error;
  return results;
}
