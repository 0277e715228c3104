/**
 * How a file lies in a target: an envelope of a short header and chunks.
 *
 *   8 bytes  `SLUICEB1`
 *   4 bytes  length of the header, big endian
 *   header   JSON: compression, cipher, salt
 *   chunks   4 bytes length (big endian, top bit: last chunk), then that many bytes
 *
 * Sealed chunks are AES-256-GCM: 1 MB of compressed content and a tag of 16 bytes. The key of a file is derived
 * (HKDF-SHA-256) from the set's key and the file's random salt, so the nonce may simply be the chunk's number with
 * the last flag (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015): a chunk that is moved,
 * missing, repeated or cut off fails to open. The header is authenticated with every chunk.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes, type CipherGCM, type DecipherGCM } from 'node:crypto';
import { DomainError } from '../../domain/errors.ts';
import { COMPRESSIONS, type Compression } from '../../domain/recovery/manifest.ts';

const MAGIC = Buffer.from('SLUICEB1');
export const CHUNK_BYTES = 1024 * 1024;
const TAG_BYTES = 16;
const LAST = 0x8000_0000;
const SALT_BYTES = 32;
export const KEY_BYTES = 32;
const HEADER_BYTES_MAX = 64 * 1024;
const INFO = 'sluice backup file v1';

export interface EnvelopeHeader {
  readonly compression: Compression;
  readonly cipher: 'aes-256-gcm' | 'none';
  /** What it is: an envelope under another name is refused. */
  readonly name: string;
  /** Base64; empty when nothing is sealed. */
  readonly salt: string;
  /** An envelope that brings its own key: wrapped for recipients, base64. Files of a set are under the set's key. */
  readonly wrappedKey?: string;
}

export interface SealOptions {
  /** Unique among everything that is sealed under the key. */
  readonly name: string;
  /** `null`: plain chunks. */
  readonly key: Buffer | null;
  readonly compression: Compression;
  readonly wrappedKey?: string;
}

/** Cuts compressed content into chunks and seals them under the key. */
export async function* seal(content: AsyncIterable<Uint8Array>, options: SealOptions): AsyncGenerator<Buffer> {
  const { name, key, compression, wrappedKey } = options;
  const salt = key === null ? Buffer.alloc(0) : randomBytes(SALT_BYTES);
  const header = encodeHeader({
    compression,
    cipher: key === null ? 'none' : 'aes-256-gcm',
    name,
    salt: salt.toString('base64'),
    ...(wrappedKey === undefined ? {} : { wrappedKey }),
  });
  yield header;
  const fileKey = key === null ? null : deriveKey(key, salt);
  let number = 0;
  for await (const { bytes, last } of chunksOf(content)) {
    const body = fileKey === null ? bytes : sealChunk(fileKey, number, last, header, bytes);
    const length = Buffer.alloc(4);
    length.writeUInt32BE((body.byteLength | (last ? LAST : 0)) >>> 0);
    yield length;
    yield body;
    number += 1;
  }
}

/**
 * Reads an envelope back to the compressed content. `keyFor` answers with the key for a sealed one.
 * @throws DomainError `artefactCorrupt` at the first byte that is not what was written, and at a missing end
 */
export async function* unseal(
  stored: AsyncIterable<Uint8Array>,
  name: string,
  use: {
    readonly keyFor: (header: EnvelopeHeader) => Promise<Buffer>;
    readonly onHeader?: (header: EnvelopeHeader) => void;
  },
): AsyncGenerator<Buffer> {
  const reader = createReader(stored, name);
  const start = await reader.take(MAGIC.byteLength + 4);
  if (!start.subarray(0, MAGIC.byteLength).equals(MAGIC)) throw corrupt(name, 'it is no file of a backup set');
  const headerLength = start.readUInt32BE(MAGIC.byteLength);
  if (headerLength > HEADER_BYTES_MAX) throw corrupt(name, 'its header is damaged');
  const headerBytes = await reader.take(headerLength);
  const header = readHeader(headerBytes, name);
  if (header.name !== name) throw corrupt(name, `it holds ${header.name.slice(0, 200)}`);
  use.onHeader?.(header);
  const authenticated = Buffer.concat([start, headerBytes]);
  const fileKey =
    header.cipher === 'none' ? null : deriveKey(await use.keyFor(header), Buffer.from(header.salt, 'base64'));
  for (let number = 0; ; number++) {
    const word = (await reader.take(4)).readUInt32BE();
    const last = word >= LAST;
    const length = last ? word - LAST : word;
    if (length > CHUNK_BYTES + TAG_BYTES) throw corrupt(name, `chunk ${number} has an impossible length`);
    const body = await reader.take(length);
    yield fileKey === null ? body : openChunk(fileKey, number, last, authenticated, body, name);
    if (last) break;
  }
  await reader.requireEnd();
}

function deriveKey(key: Buffer, salt: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', key, salt, INFO, KEY_BYTES));
}

/** 11 bytes of number, 1 byte: whether it is the last. Unique per key, as each file has a key of its own. */
function nonceOf(number: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(number, 5, 6);
  nonce.writeUInt8(last ? 1 : 0, 11);
  return nonce;
}

function sealChunk(key: Buffer, number: number, last: boolean, header: Buffer, bytes: Buffer): Buffer {
  const cipher: CipherGCM = createCipheriv('aes-256-gcm', key, nonceOf(number, last), { authTagLength: TAG_BYTES });
  cipher.setAAD(header);
  return Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
}

function openChunk(key: Buffer, number: number, last: boolean, header: Buffer, body: Buffer, name: string): Buffer {
  if (body.byteLength < TAG_BYTES) throw corrupt(name, `chunk ${number} is cut off`);
  const nonce = nonceOf(number, last);
  const decipher: DecipherGCM = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(header);
  decipher.setAuthTag(body.subarray(body.byteLength - TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(body.subarray(0, body.byteLength - TAG_BYTES)), decipher.final()]);
  } catch {
    throw corrupt(name, `chunk ${number} does not open: it was changed, moved or cut, or the key is another one`);
  }
}

function encodeHeader(header: EnvelopeHeader): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.byteLength);
  return Buffer.concat([MAGIC, length, json]);
}

function readHeader(bytes: Buffer, name: string): EnvelopeHeader {
  try {
    const header = JSON.parse(bytes.toString('utf8')) as EnvelopeHeader;
    const known = COMPRESSIONS.includes(header.compression) && ['aes-256-gcm', 'none'].includes(header.cipher);
    if (known && typeof header.salt === 'string' && typeof header.name === 'string') return header;
  } catch {
    // Said below.
  }
  throw corrupt(name, 'its header is damaged');
}

/** Chunks of exactly 1 MB but for the last one, which may be empty. */
async function* chunksOf(content: AsyncIterable<Uint8Array>): AsyncGenerator<{ bytes: Buffer; last: boolean }> {
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of content) {
    waiting.push(piece);
    bytes += piece.byteLength;
    if (bytes <= CHUNK_BYTES) continue;
    let all = Buffer.concat(waiting);
    for (; all.byteLength > CHUNK_BYTES; all = all.subarray(CHUNK_BYTES)) {
      yield { bytes: all.subarray(0, CHUNK_BYTES), last: false };
    }
    waiting = [all];
    bytes = all.byteLength;
  }
  yield { bytes: Buffer.concat(waiting), last: true };
}

interface Reader {
  readonly take: (bytes: number) => Promise<Buffer>;
  readonly requireEnd: () => Promise<void>;
}

/** Holds at most one chunk and one piece of the stream. */
function createReader(stored: AsyncIterable<Uint8Array>, name: string): Reader {
  const pieces = stored[Symbol.asyncIterator]();
  let waiting: Uint8Array[] = [];
  let available = 0;
  const more = async (): Promise<boolean> => {
    const next = await pieces.next();
    if (next.done === true) return false;
    waiting.push(next.value);
    available += next.value.byteLength;
    return true;
  };
  return {
    take: async (bytes) => {
      while (available < bytes) if (!(await more())) throw corrupt(name, 'its end is missing');
      const all = Buffer.concat(waiting);
      waiting = [all.subarray(bytes)];
      available = all.byteLength - bytes;
      return all.subarray(0, bytes);
    },
    requireEnd: async () => {
      while (available === 0) if (!(await more())) return;
      throw corrupt(name, 'something was appended to it');
    },
  };
}

export function corrupt(name: string, why: string): DomainError {
  return new DomainError('artefactCorrupt', `${name} is damaged: ${why}`, [{ field: name, message: why }]);
}
