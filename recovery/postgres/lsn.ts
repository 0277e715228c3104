/** A position in the write-ahead log: bytes since its beginning, on all timelines. */
export type Lsn = bigint;

/** Size that initdb gives to segments unless told otherwise. */
export const SEGMENT_BYTES = 16 * 1024 * 1024;
const LSN = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/;
const LOG_BYTES = 0x1_0000_0000n;

/** Reads PostgreSQL's `16/B374D848`. @throws RangeError on any other text */
export function parseLsn(text: string): Lsn {
  const match = LSN.exec(text);
  if (match === null) throw new RangeError(`not a log position: ${text}`);
  return (BigInt(`0x${match[1] ?? '0'}`) << 32n) | BigInt(`0x${match[2] ?? '0'}`);
}

export function formatLsn(lsn: Lsn): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffff_ffffn).toString(16).toUpperCase()}`;
}

export function segmentStart(lsn: Lsn, segmentBytes = SEGMENT_BYTES): Lsn {
  return lsn - (lsn % BigInt(segmentBytes));
}

/** The file that holds the position: timeline, then the segment's number in two halves, eight hex digits each. */
export function segmentName(timeline: number, lsn: Lsn, segmentBytes = SEGMENT_BYTES): string {
  const number = lsn / BigInt(segmentBytes);
  const perLog = LOG_BYTES / BigInt(segmentBytes);
  return [BigInt(timeline), number / perLog, number % perLog].map(eightHex).join('');
}

export function historyName(timeline: number): string {
  return `${eightHex(BigInt(timeline))}.history`;
}

function eightHex(value: bigint): string {
  return value.toString(16).toUpperCase().padStart(8, '0');
}
