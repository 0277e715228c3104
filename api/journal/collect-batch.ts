import type { JournalMove } from '../../db/ports.ts';
import type { Inventory, Segment } from './inventory.ts';
import type { Positions } from './positions.ts';
import { isGone } from './journal-files.ts';
import { readSegment } from './segment-reader.ts';
import type { BrokenPart, ReadLimits, SegmentPart } from './segment-reader.ts';

export interface Collected {
  readonly lines: readonly string[];
  readonly moves: readonly JournalMove[];
  readonly bytes: number;
  readonly broken: readonly { readonly segment: Segment; readonly part: BrokenPart }[];
}

/** Takes the next records of every instance, up to `recordsMax` in all; a frame is taken whole. */
export async function collectBatch(
  inventory: Inventory,
  positions: Positions,
  recordsMax: number,
  /** Which instance comes first: another one each time, so that a long backlog holds up nobody. */
  turn: number,
): Promise<Collected> {
  const lines: string[] = [];
  const moves: JournalMove[] = [];
  const broken: { segment: Segment; part: BrokenPart }[] = [];
  let bytes = 0;
  const instances = [...inventory.values()];
  const first = instances.length === 0 ? 0 : turn % instances.length;
  for (const { segments } of [...instances.slice(first), ...instances.slice(0, first)]) {
    for (const segment of segments) {
      if (lines.length >= recordsMax) break;
      let sinceBytes = positions.of(segment);
      // One window at a time: a segment holds several.
      while (sinceBytes < segment.bytes && lines.length < recordsMax) {
        const { isFinal } = segment;
        const part = await readOrNull(segment.path, sinceBytes, { recordsMax: recordsMax - lines.length, isFinal });
        if (part === null || part.untilBytes === sinceBytes) break;
        lines.push(...part.lines);
        broken.push(...part.broken.map((b) => ({ segment, part: b })));
        bytes += part.untilBytes - sinceBytes;
        addMove(moves, segment, sinceBytes, part.untilBytes);
        sinceBytes = part.untilBytes;
      }
    }
  }
  return { lines, moves, bytes, broken };
}

/** Windows that follow each other in a segment are one move. */
function addMove(moves: JournalMove[], { instance, segment }: Segment, sinceBytes: number, untilBytes: number): void {
  const last = moves.at(-1);
  const continues = last?.instance === instance && last.segment === segment;
  moves.push({
    instance,
    segment,
    sinceBytes: continues ? (moves.pop()?.sinceBytes ?? sinceBytes) : sinceBytes,
    untilBytes,
  });
}

/** `null` when the segment is gone: dropped at the bound, or shipped and removed by another. */
async function readOrNull(path: string, sinceBytes: number, limits: ReadLimits): Promise<SegmentPart | null> {
  try {
    return await readSegment(path, sinceBytes, limits);
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}
