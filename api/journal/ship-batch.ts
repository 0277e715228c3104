import type { JournalMove, JournalStore } from '../../db/ports.ts';
import { DomainError } from '../../domain/errors.ts';

export interface Batch {
  readonly lines: readonly string[];
  readonly moves: readonly JournalMove[];
}

export interface ShipDeps {
  readonly store: Pick<JournalStore, 'ship'>;
  /** Keeps lines that the database refuses; after it they count as done. */
  readonly reject: (lines: readonly string[], cause: unknown) => Promise<void>;
}

interface Refused {
  readonly line: string;
  readonly error: unknown;
}

/** So many refusals that speak of no value, and nothing stored: it is not the lines' fault. */
const UNCLEAR_MAX = 16;

/**
 * Ships a batch. When the database refuses it for its content, the lines are tried in halves until those at fault are
 * alone; they are put aside, and the rest is stored. (Lines stored in halves are stored before the positions move; a
 * process killed in between does it again, and the ids make that harmless.)
 * @throws DomainError `unavailable` and whatever else concerns no single line: nothing has moved, try again later
 */
export async function shipBatch(batch: Batch, deps: ShipDeps): Promise<'shipped' | 'overtaken'> {
  try {
    return await deps.store.ship(batch.lines, batch.moves);
  } catch (error) {
    if (isOutage(error)) throw error;
    const search: Search = { store: deps.store, refused: [], stored: 0 };
    await storeWhatCanBe(batch.lines, search);
    const { refused } = search;
    // Refusals of every line that do not speak of values are the database's own (a missing right, a missing table).
    if (search.stored === 0) throwIfUnclear(refused);
    if (refused.length > 0) {
      await deps.reject(
        refused.map((r) => r.line),
        refused[0]?.error,
      );
    }
    return deps.store.ship([], batch.moves);
  }
}

interface Search {
  readonly store: ShipDeps['store'];
  readonly refused: Refused[];
  stored: number;
}

async function storeWhatCanBe(lines: readonly string[], search: Search): Promise<void> {
  const [line] = lines;
  if (line === undefined) return;
  try {
    await search.store.ship(lines, []);
    search.stored += lines.length;
  } catch (error) {
    if (isOutage(error)) throw error;
    if (lines.length === 1) {
      search.refused.push({ line, error });
      if (search.stored === 0 && search.refused.length >= UNCLEAR_MAX) throwIfUnclear(search.refused);
      return;
    }
    const half = Math.ceil(lines.length / 2);
    await storeWhatCanBe(lines.slice(0, half), search);
    await storeWhatCanBe(lines.slice(half), search);
  }
}

function throwIfUnclear(refused: readonly Refused[]): void {
  const unclear = refused.find((r) => !isAboutValues(r.error));
  if (unclear !== undefined) throw unclear.error;
}

function isOutage(error: unknown): boolean {
  return error instanceof DomainError && error.code === 'unavailable';
}

function isAboutValues(error: unknown): boolean {
  return error instanceof DomainError && error.code === 'invalidInput';
}
