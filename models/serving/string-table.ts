import { DomainError } from '../../domain/errors.ts';

/**
 * Strings kept at a time, far above what waits to be run (some 100,000 rows) of the few string features that have more
 * values than fit: 262,144 strings of 50 characters are about 25 MB.
 */
const CAPACITY = 2 ** 18;
/** Numbers a float32 holds exactly; a number comes again only after that many strings. */
const NUMBERS = 2 ** 24;
/** A longer text is no category. */
export const STRING_LENGTH_MAX = 1_024;

/**
 * Lets strings travel through the float rows of the serving path to graphs that take strings: each string has a number,
 * which stays valid while at most 131,072 other new strings come. A number read later than that is refused, never
 * mistaken.
 */
export interface StringTable {
  /** Number of a string, below 2^24. */
  numberOf(text: string): number;
  /** @throws DomainError `unavailable` when the string has been given up since */
  textOf(number: number): string;
}

export function createStringTable(capacity: number = CAPACITY): StringTable {
  const texts: string[] = [];
  /** Position in the sequence of all strings by text. */
  const positions = new Map<string, number>();
  let next = 0;
  return {
    numberOf(text) {
      const known = positions.get(text);
      if (known !== undefined && next - known < capacity / 2) return known % NUMBERS;
      const slot = next % capacity;
      const old = texts[slot];
      // The old text may have moved on to a newer slot.
      if (old !== undefined && positions.get(old) === next - capacity) positions.delete(old);
      texts[slot] = text;
      positions.set(text, next);
      next += 1;
      return (next - 1) % NUMBERS;
    },
    textOf(number) {
      const age = (next - 1 - number + NUMBERS) % NUMBERS;
      const position = next - 1 - age;
      const text = texts[position % capacity];
      if (age >= capacity || position < 0 || text === undefined) {
        throw new DomainError('unavailable', 'Too many different strings came while this row waited; try again');
      }
      return text;
    },
  };
}
