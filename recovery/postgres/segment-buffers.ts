import { segmentStart, type Lsn } from './lsn.ts';
import type { WalChunk } from './receive-wal.ts';

/** Segments held in memory while the target is slow; then the server waits, and keeps the log by its slot. */
const SEGMENTS_MAX = 3;

interface Held {
  readonly start: Lsn;
  readonly bytes: Buffer;
}

/** A part of one segment. */
export interface SegmentPart {
  readonly segment: Lsn;
  readonly start: Lsn;
  readonly end: Lsn;
  readonly bytes: Buffer;
  readonly atMs: number;
  /** Bytes of the whole segment, when this part completes it. */
  readonly whole: Buffer | null;
}

/** The newest segments of the stream, put together from its chunks. Memory: three segments, 48 MB by default. */
export function createSegmentBuffers(from: Lsn, segmentBytes: number) {
  let held: Held[] = [];
  let received = from;
  let atMs = 0;
  const size = BigInt(segmentBytes);
  return {
    received: (): Lsn => received,
    /** No room for another segment. */
    isFull: (): boolean => held.length >= SEGMENTS_MAX,
    add(chunk: WalChunk): void {
      let bytes = chunk.bytes;
      while (bytes.byteLength > 0) {
        const start = segmentStart(received, segmentBytes);
        let segment = held.find((h) => h.start === start);
        if (segment === undefined) {
          segment = { start, bytes: Buffer.alloc(segmentBytes) };
          held.push(segment);
        }
        const offset = Number(received - start);
        const taken = bytes.copy(segment.bytes, offset);
        received += BigInt(taken);
        bytes = bytes.subarray(taken);
      }
      atMs = chunk.sentAtMs;
    },
    /** What follows the position, up to the end of its segment; `null` when there is nothing more. */
    next(shipped: Lsn): SegmentPart | null {
      if (shipped >= received) return null;
      const segment = segmentStart(shipped, segmentBytes);
      const found = held.find((h) => h.start === segment);
      if (found === undefined) return null;
      const end = segment + size < received ? segment + size : received;
      const bytes = found.bytes.subarray(Number(shipped - segment), Number(end - segment));
      return { segment, start: shipped, end, bytes, atMs, whole: end === segment + size ? found.bytes : null };
    },
    release(segment: Lsn): void {
      held = held.filter((h) => h.start > segment);
    },
  };
}
