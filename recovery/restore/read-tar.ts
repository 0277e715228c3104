import { DomainError } from '../../domain/errors.ts';
import { drain } from '../postgres/drain.ts';

const BLOCK_BYTES = 512;
/** Long names and PAX records of a server's files are far smaller. */
const META_BYTES_MAX = 64 * 1024;

export interface TarEntry {
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'link';
  readonly bytes: number;
  readonly linkTarget: string;
  /** Read before the next entry is asked for; what is left is skipped. */
  readonly content: AsyncIterable<Buffer>;
}

/**
 * Reads the entries of a tar stream (POSIX ustar, as PostgreSQL writes it, with long names of GNU and PAX) without
 * holding more than a chunk of it.
 * @throws DomainError `artefactCorrupt` for what is no tar, or ends early
 */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const reader = createBlockReader(source);
  let longName: string | null = null;
  for (;;) {
    const header = await reader.read(BLOCK_BYTES);
    if (header === null || header.every((byte) => byte === 0)) return;
    if (checksum(header) !== octal(header, 148, 8)) throw corrupt('a header has a wrong checksum');
    const bytes = octal(header, 124, 12);
    const type = String.fromCharCode(header[156] ?? 0);
    const padded = Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
    if (type === 'L' || type === 'x') {
      if (bytes > META_BYTES_MAX) throw corrupt('a name is too long');
      const meta = ((await reader.read(padded)) ?? Buffer.alloc(0)).toString('utf8', 0, bytes);
      longName = type === 'L' ? meta.replace(/\0.*$/s, '') : (/(?:^|\n)\d+ path=(.*)\n/.exec(meta)?.[1] ?? longName);
      continue;
    }
    const name: string = longName ?? headerName(header);
    longName = null;
    const content = reader.stream(bytes);
    yield { name, kind: kindOf(type, name), bytes, linkTarget: text(header, 157, 100), content };
    await drain(content);
    await reader.read(padded - bytes);
  }
}

function createBlockReader(source: AsyncIterable<Uint8Array>) {
  const iterator = source[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  const fill = async (): Promise<boolean> => {
    const next = await iterator.next();
    if (next.done === true) return false;
    const { buffer, byteOffset, byteLength } = next.value;
    rest = Buffer.from(buffer, byteOffset, byteLength);
    return true;
  };
  return {
    /** Exactly so many bytes; `null` at the end of the source. */
    async read(bytes: number): Promise<Buffer | null> {
      const parts: Buffer[] = [];
      let missing = bytes;
      while (missing > 0) {
        if (rest.byteLength === 0 && !(await fill())) {
          if (parts.length === 0) return null;
          throw corrupt('it ends in the middle of an entry');
        }
        const part = rest.subarray(0, missing);
        rest = rest.subarray(part.byteLength);
        missing -= part.byteLength;
        parts.push(part);
      }
      return Buffer.concat(parts);
    },
    async *stream(bytes: number): AsyncGenerator<Buffer> {
      let missing = bytes;
      while (missing > 0) {
        if (rest.byteLength === 0 && !(await fill())) throw corrupt('it ends in the middle of a file');
        const part = rest.subarray(0, missing);
        rest = rest.subarray(part.byteLength);
        missing -= part.byteLength;
        yield part;
      }
    },
  };
}

function kindOf(type: string, name: string): TarEntry['kind'] {
  if (type === '5') return 'folder';
  if (type === '2' || type === '1') return 'link';
  if (type === '0' || type === '\0') return 'file';
  throw corrupt(`${name} is of a kind that no backup holds`);
}

function headerName(header: Buffer): string {
  const prefix = text(header, 345, 155);
  const name = text(header, 0, 100);
  return prefix === '' ? name : `${prefix}/${name}`;
}

function text(header: Buffer, at: number, length: number): string {
  return header.toString('utf8', at, at + length).replace(/\0.*$/s, '');
}

/** Numbers too large for octal digits are binary, with the first bit set. */
function octal(header: Buffer, at: number, length: number): number {
  if (((header[at] ?? 0) & 0x80) !== 0) return Number(header.readBigUInt64BE(at + length - 8));
  const value = Number.parseInt(text(header, at, length).trim() || '0', 8);
  if (!Number.isInteger(value)) throw corrupt('a header holds no number');
  return value;
}

function checksum(header: Buffer): number {
  let sum = 0;
  for (const [i, byte] of header.entries()) sum += i >= 148 && i < 156 ? 32 : byte;
  return sum;
}

function corrupt(what: string): DomainError {
  return new DomainError('artefactCorrupt', `The copy of the database is damaged: ${what}`);
}
