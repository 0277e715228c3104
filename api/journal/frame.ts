/**
 * The form of a segment: frames, one per write. A frame is a header line and `records` lines of JSON:
 *
 *     #CCCCCCCC LLLLLLLL RRRRRR TTTTTTTTTTT\n      (hexadecimal: CRC-32, payload bytes, records, epoch ms)
 *     {"request_id":...}\n
 *
 * The checksum covers everything behind it, so that a torn, zeroed or changed frame is recognised.
 */
import { crc32 } from './crc32.ts';

export const HEADER_BYTES = 38;
/** A single record is 4 MiB at most (the limit of a request's body): a longer frame is no frame. */
export const FRAME_BYTES_MAX = 16 * 1024 * 1024;

const CHECKED_FROM = 10;
const HEADER = /^#([0-9a-f]{8}) ([0-9a-f]{8}) ([0-9a-f]{6}) ([0-9a-f]{11})\n$/;
const LINE_END = 0x0a;
const HEADER_START = 0x23;

export interface FrameHeader {
  readonly crc: number;
  readonly payloadBytes: number;
  readonly records: number;
  /** When it was written, epoch ms by the writer's clock. */
  readonly writtenAtMs: number;
}

/** A frame, or why there is none: `short` when more bytes are needed, `broken` when no more bytes would help. */
export type FrameRead =
  | { readonly kind: 'frame'; readonly header: FrameHeader; readonly payload: Buffer; readonly bytes: number }
  | { readonly kind: 'short'; readonly bytesNeeded: number }
  | { readonly kind: 'broken' };

/** Writes the header of a payload that begins at `HEADER_BYTES`; returns the bytes of the whole frame. */
export function sealFrame(buffer: Buffer, payloadBytes: number, records: number, writtenAtMs: number): number {
  const bytes = HEADER_BYTES + payloadBytes;
  const checked = `${hex(payloadBytes, 8)} ${hex(records, 6)} ${hex(Math.max(0, writtenAtMs), 11)}\n`;
  buffer.write(checked, CHECKED_FROM, 'latin1');
  buffer.write(`#${hex(crc32(buffer.subarray(CHECKED_FROM, bytes)), 8)} `, 0, 'latin1');
  return bytes;
}

export function readHeader(buffer: Buffer, offset = 0): FrameHeader | null {
  const match = HEADER.exec(buffer.toString('latin1', offset, offset + HEADER_BYTES));
  if (match === null) return null;
  const [crc = 0, payloadBytes = 0, records = 0, writtenAtMs = 0] = match.slice(1).map((part) => parseInt(part, 16));
  return payloadBytes > FRAME_BYTES_MAX ? null : { crc, payloadBytes, records, writtenAtMs };
}

/** The frame that begins at `offset`. */
export function readFrame(buffer: Buffer, offset: number): FrameRead {
  const available = buffer.length - offset;
  if (available < HEADER_BYTES) return { kind: 'short', bytesNeeded: HEADER_BYTES };
  const header = readHeader(buffer, offset);
  if (header === null) return { kind: 'broken' };
  const bytes = HEADER_BYTES + header.payloadBytes;
  if (available < bytes) return { kind: 'short', bytesNeeded: bytes };
  const whole = buffer.subarray(offset, offset + bytes);
  if (crc32(whole.subarray(CHECKED_FROM)) !== header.crc) return { kind: 'broken' };
  return { kind: 'frame', header, payload: whole.subarray(HEADER_BYTES), bytes };
}

/** Where the next sound frame behind `offset` begins, -1 for none. */
export function findFrame(buffer: Buffer, offset: number): number {
  for (let at = buffer.indexOf(HEADER_START, offset); at !== -1; at = buffer.indexOf(HEADER_START, at + 1)) {
    if (readFrame(buffer, at).kind === 'frame') return at;
  }
  return -1;
}

/** The lines of a payload, without their ends. */
export function linesOf(payload: Buffer): string[] {
  const end = payload[payload.length - 1] === LINE_END ? payload.length - 1 : payload.length;
  return end === 0 ? [] : payload.toString('utf8', 0, end).split('\n');
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
