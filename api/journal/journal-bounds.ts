import type { Inventory, Segment } from './inventory.ts';
import { bytesIn } from './inventory.ts';
import { isGone, removeFile } from './journal-files.ts';
import type { Positions } from './positions.ts';
import { countRecords, writtenAtMs } from './segment-reader.ts';

/** Age drops nothing before shipping has failed for this long: what can be shipped is shipped, whatever a clock says. */
const AGE_COUNTS_AFTER_MS = 10 * 60_000;

export interface Bounds {
  readonly bytesMax: number;
  readonly ageMaxMs: number;
}

export interface BoundsState {
  readonly inventory: Inventory;
  readonly positions: Positions;
  /** On their way to the database just now. */
  readonly busy: ReadonlySet<string>;
  /** For how long nothing could be shipped. */
  readonly failingForMs: number;
  readonly nowMs: number;
}

/**
 * Drops the oldest segments while the journal is over its bounds; returns the records lost with them. A segment that
 * is written to, or on its way to the database, stays: the bound may be passed by these.
 */
export async function enforceBounds(bounds: Bounds, state: BoundsState): Promise<number> {
  const { inventory, failingForMs } = state;
  let excess = bytesIn(inventory) - bounds.bytesMax;
  const ageCounts = failingForMs >= AGE_COUNTS_AFTER_MS;
  if (excess <= 0 && !ageCounts) return 0;
  let records = 0;
  for (const { segment, atMs } of await oldestFirst(state)) {
    const tooOld = ageCounts && state.nowMs - atMs > bounds.ageMaxMs;
    if (excess <= 0 && !tooOld) break;
    records += await drop(segment, state.positions);
    excess -= segment.bytes;
  }
  return records;
}

async function oldestFirst({ inventory, busy, nowMs }: BoundsState) {
  const candidates = [...inventory.values()]
    .flatMap(({ segments }) => segments)
    .filter((s) => s.isFinal && s.bytes > 0 && !busy.has(s.path));
  const dated = await Promise.all(
    candidates.map(async (segment) => ({ segment, atMs: (await dateOf(segment)) ?? nowMs })),
  );
  return dated.sort((a, b) => a.atMs - b.atMs || a.segment.segment - b.segment.segment);
}

async function drop(segment: Segment, positions: Positions): Promise<number> {
  const from = positions.of(segment);
  const records = from >= segment.bytes ? 0 : await countRecords(segment.path, from).catch(zeroIfGone);
  await removeFile(segment.path);
  positions.forgetSegment(segment);
  return records;
}

async function dateOf(segment: Segment): Promise<number | null> {
  return writtenAtMs(segment.path, 0).catch((error: unknown) => {
    if (isGone(error)) return null;
    throw error;
  });
}

function zeroIfGone(error: unknown): number {
  if (isGone(error)) return 0;
  throw error;
}
