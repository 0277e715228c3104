import { createHash } from 'node:crypto';
import { DomainError } from '../../domain/errors.ts';
import type { Compression } from '../../domain/recovery/manifest.ts';
import { compress, decompress } from './compress.ts';
import { seal, unseal, type EnvelopeHeader, type SealOptions } from './seal.ts';

export interface Counted {
  readonly bytes: number;
  readonly sha256: string;
}

/** Packs and seals; `onPlain` is told of the content when all of it has passed. */
export function packed(
  content: AsyncIterable<Uint8Array>,
  options: SealOptions,
  onPlain: (counted: Counted) => void,
): AsyncIterable<Uint8Array> {
  return seal(compress(counted(content, onPlain), options.compression), options);
}

/** Opens and unpacks. `keyFor` is asked only for a sealed one. */
export async function* unpacked(
  stored: AsyncIterable<Uint8Array>,
  name: string,
  keyFor: (header: EnvelopeHeader) => Promise<Buffer>,
): AsyncGenerator<Uint8Array> {
  const found: { compression: Compression | null } = { compression: null };
  const opened = unseal(stored, name, { keyFor, onHeader: (header) => (found.compression = header.compression) });
  // The header says how it is packed, and comes before the first chunk.
  const first = await opened.next();
  async function* rest(): AsyncGenerator<Uint8Array> {
    if (first.done !== true) yield first.value;
    yield* opened;
  }
  yield* decompress(rest(), found.compression ?? 'none', name);
}

/** Passes a stream on; says at its end how long it was and what its digest is. */
export async function* counted(
  content: AsyncIterable<Uint8Array>,
  onEnd: (counted: Counted) => void,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of content) {
    hash.update(chunk);
    bytes += chunk.byteLength;
    yield chunk;
  }
  onEnd({ bytes, sha256: hash.digest('hex') });
}

/** All of a small object. @throws DomainError `artefactCorrupt` when it is larger */
export async function collect(content: AsyncIterable<Uint8Array>, bytesMax: number, name: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of content) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax) throw new DomainError('artefactCorrupt', `${name} is larger than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}
