import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { FRAME_BYTES_MAX, HEADER_BYTES, findFrame, linesOf, readFrame, readHeader } from './frame.ts';

/** One read of the disk: some 1,500 records. Longer frames are read alone. */
const WINDOW_BYTES = 1024 * 1024;

export interface SegmentPart {
  /** One JSON text per record. */
  readonly lines: readonly string[];
  /** Behind the last frame taken. */
  readonly untilBytes: number;
  /** When the first frame was written; `null` when none was taken. */
  readonly oldestMs: number | null;
  /** What no frame could be made of, in a segment that will not grow. */
  readonly broken: readonly BrokenPart[];
}

export interface BrokenPart {
  readonly bytes: Buffer;
  readonly atBytes: number;
  /** Nothing sound comes behind it: the last write before a power cut or on a full disk. */
  readonly isTail: boolean;
}

export interface ReadLimits {
  /** Frames are taken whole: the last one may go beyond. */
  readonly recordsMax: number;
  /** Nothing more will be appended: what is no sound frame now never will be one, and is passed over. */
  readonly isFinal: boolean;
}

/**
 * Reads frames from `fromBytes` on. The end of a segment that may still grow is left alone as long as it is no whole
 * frame. Reads one window: call again from `untilBytes` for more.
 */
export async function readSegment(path: string, fromBytes: number, limits: ReadLimits): Promise<SegmentPart> {
  const file = await open(path, 'r');
  try {
    let window = await readWindow(file, fromBytes, WINDOW_BYTES);
    const first = readFrame(window, 0);
    if (first.kind === 'short' && first.bytesNeeded > window.length && window.length === WINDOW_BYTES) {
      window = await readWindow(file, fromBytes, first.bytesNeeded);
    } else if (first.kind === 'broken' && limits.isFinal) {
      window = await readWindow(file, fromBytes, FRAME_BYTES_MAX + WINDOW_BYTES);
    }
    const size = (await file.stat()).size;
    return takeFrames(window, fromBytes, { ...limits, reachesEnd: fromBytes + window.length >= size });
  } finally {
    await file.close();
  }
}

function takeFrames(window: Buffer, fromBytes: number, limits: ReadLimits & { reachesEnd: boolean }): SegmentPart {
  const lines: string[] = [];
  const broken: BrokenPart[] = [];
  let oldestMs: number | null = null;
  let at = 0;
  while (at < window.length && lines.length < limits.recordsMax) {
    const read = readFrame(window, at);
    if (read.kind === 'frame') {
      lines.push(...linesOf(read.payload));
      oldestMs ??= read.header.writtenAtMs;
      at += read.bytes;
      continue;
    }
    const mayBecomeWhole = !limits.isFinal || (read.kind === 'short' && !limits.reachesEnd);
    // Damage in the middle of a window is looked at again at the beginning of a larger one.
    if (mayBecomeWhole || (at > 0 && !limits.reachesEnd)) break;
    const next = findFrame(window, at + 1);
    const until = next === -1 ? window.length : next;
    broken.push({ bytes: window.subarray(at, until), atBytes: fromBytes + at, isTail: next === -1 });
    at = until;
  }
  return { lines, untilBytes: fromBytes + at, oldestMs, broken };
}

/** Records of the sound frames from `fromBytes` to the end. */
export async function countRecords(path: string, fromBytes: number): Promise<number> {
  const file = await open(path, 'r');
  try {
    let records = 0;
    for (let at = fromBytes; ;) {
      const header = readHeader(await readWindow(file, at, HEADER_BYTES));
      if (header === null) return records;
      records += header.records;
      at += HEADER_BYTES + header.payloadBytes;
    }
  } finally {
    await file.close();
  }
}

/** When the first frame from `fromBytes` on was written, `null` when there is none. */
export async function writtenAtMs(path: string, fromBytes: number): Promise<number | null> {
  const file = await open(path, 'r');
  try {
    return readHeader(await readWindow(file, fromBytes, HEADER_BYTES))?.writtenAtMs ?? null;
  } finally {
    await file.close();
  }
}

async function readWindow(file: FileHandle, fromBytes: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(bytes);
  let length = 0;
  while (length < bytes) {
    const { bytesRead } = await file.read(buffer, length, bytes - length, fromBytes + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}
