import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { DomainError } from '../../domain/errors.ts';
import type { Compression } from '../../domain/recovery/manifest.ts';
import { corrupt } from './seal.ts';

/** Fast: a backup must not take the processor from predictions. */
const GZIP_LEVEL = 1;
const ZSTD_LEVEL = 1;
const PIECE_BYTES = 1024 * 1024;
/** Of so many blocks one shows whether a search for repetitions pays. */
const PROBE_EVERY = 16;
/** Below this ratio the search costs three quarters of the time and gains next to nothing. */
const SEARCH_RATIO_MIN = 2.5;

/** Unpacked ahead of a reader that hashes and writes meanwhile. */
const AHEAD_BYTES = 4 * PIECE_BYTES;

type MakeTransform = (options?: object) => NodeJS.ReadWriteStream & { destroy(error?: Error): unknown };
/** In `node:zlib` from Node 22.15 and 23.8 on. */
const zstd = zlib as unknown as {
  readonly createZstdCompress?: MakeTransform;
  readonly createZstdDecompress?: MakeTransform;
};
/** `ZSTD_c_compressionLevel` of zstd's own header. */
const ZSTD_LEVEL_PARAMETER = 100;
const gzipBlock = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.gzip);

/** The best that this runtime can write. */
export function availableCompression(): Exclude<Compression, 'none'> {
  return zstd.createZstdCompress === undefined ? 'gzip' : 'zstd';
}

export function compress(content: AsyncIterable<Uint8Array>, how: Compression): AsyncIterable<Uint8Array> {
  if (how === 'none') return content;
  const blocks = inBlocks(content);
  if (how === 'gzip') return gzipBlocks(blocks);
  const options = { chunkSize: PIECE_BYTES, params: { [ZSTD_LEVEL_PARAMETER]: ZSTD_LEVEL } };
  return through(blocks, (zstd.createZstdCompress ?? unavailable())(options));
}

/** Each hand-over to another thread waits for a free core: a thousand per gigabyte cost nothing, one per message did. */
async function* inBlocks(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of content) {
    waiting.push(piece);
    bytes += piece.byteLength;
    if (bytes < PIECE_BYTES) continue;
    yield waiting.length === 1 ? piece : Buffer.concat(waiting);
    waiting = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(waiting);
}

/**
 * A gzip file of several members (RFC 1952, 2.2), which every reader of gzip puts together. What does not repeat itself,
 * such as digests and numbers, is only coded. One block at a time: a second one at work makes a backup no faster that is
 * paced, and takes a second core from predictions.
 */
async function* gzipBlocks(blocks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let number = 0;
  let search = true;
  const pack = async (block: Uint8Array): Promise<Buffer> => {
    const probe = number++ % PROBE_EVERY === 0;
    const strategy = probe || search ? zlib.constants.Z_DEFAULT_STRATEGY : zlib.constants.Z_RLE;
    const packed = await gzipBlock(block, { level: GZIP_LEVEL, strategy });
    if (probe) search = block.byteLength >= packed.byteLength * SEARCH_RATIO_MIN;
    return packed;
  };
  for await (const block of blocks) yield await pack(block);
  // An empty file is a member too.
  if (number === 0) yield await pack(new Uint8Array());
}

/** @throws DomainError `artefactCorrupt` (what it holds was not packed so), `refused` (this runtime has no zstd) */
export async function* decompress(
  packed: AsyncIterable<Uint8Array>,
  how: Compression,
  name: string,
): AsyncGenerator<Uint8Array> {
  if (how === 'none') {
    yield* packed;
    return;
  }
  const options = { chunkSize: PIECE_BYTES, highWaterMark: AHEAD_BYTES };
  const transform = how === 'gzip' ? zlib.createGunzip(options) : (zstd.createZstdDecompress ?? unavailable())(options);
  try {
    yield* through(packed, transform);
  } catch (error) {
    if (error instanceof Error && 'code' in error && /^(Z_|ZSTD_|ERR_)/.test(String(error.code))) {
      throw corrupt(name, `it cannot be unpacked (${String(error.code)})`);
    }
    throw error;
  }
}

function unavailable(): never {
  throw new DomainError('refused', 'The set is packed with zstd, which this version of Node cannot read', [
    { field: 'compression', message: `Node ${process.versions.node} has no zstd`, allowed: ['Node 22.15 or newer'] },
  ]);
}

/** A failing source ends the transform, and a consumer that stops ends the source: nothing is left open. */
async function* through(
  content: AsyncIterable<Uint8Array>,
  transform: ReturnType<MakeTransform>,
): AsyncGenerator<Uint8Array> {
  const source = Readable.from(content, { objectMode: false });
  source.on('error', (error) => transform.destroy(error));
  source.pipe(transform);
  try {
    yield* transform as unknown as AsyncIterable<Uint8Array>;
  } finally {
    source.destroy();
    transform.destroy();
  }
}
