import { Readable } from 'node:stream';
import * as zlib from 'node:zlib';
import { DomainError } from '../../domain/errors.ts';
import type { Compression } from '../../domain/recovery/manifest.ts';
import { corrupt } from './seal.ts';

/** Fast: a backup must not take the processor from predictions. */
const GZIP_LEVEL = 1;
const PIECE_BYTES = 1024 * 1024;

type MakeTransform = (options?: object) => NodeJS.ReadWriteStream & { destroy(error?: Error): unknown };
/** In `node:zlib` from Node 22.15 and 23.8 on. */
const zstd = zlib as unknown as {
  readonly createZstdCompress?: MakeTransform;
  readonly createZstdDecompress?: MakeTransform;
};

/** The best that this runtime can write. */
export function availableCompression(): Exclude<Compression, 'none'> {
  return zstd.createZstdCompress === undefined ? 'gzip' : 'zstd';
}

export function compress(content: AsyncIterable<Uint8Array>, how: Compression): AsyncIterable<Uint8Array> {
  if (how === 'none') return content;
  const transform =
    how === 'gzip'
      ? zlib.createGzip({ level: GZIP_LEVEL, chunkSize: PIECE_BYTES })
      : (zstd.createZstdCompress ?? unavailable())({ chunkSize: PIECE_BYTES });
  return through(content, transform);
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
  const options = { chunkSize: PIECE_BYTES };
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
