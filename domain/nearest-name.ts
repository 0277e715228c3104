/** Edits a typing mistake may be away from the name that was meant: a third of its length, at least one. */
const EDITS_SHARE_MAX = 1 / 3;

/** The name that was probably meant, for `did you mean ...?`; `null` when none is near. Case does not count. */
export function nearestName(wrong: string, names: readonly string[]): string | null {
  const limit = Math.max(1, Math.floor(wrong.length * EDITS_SHARE_MAX));
  let best: string | null = null;
  let bestEdits = limit + 1;
  for (const name of names) {
    if (Math.abs(name.length - wrong.length) > limit) continue;
    const edits = editDistance(wrong.toLowerCase(), name.toLowerCase());
    if (edits < bestEdits) [best, bestEdits] = [name, edits];
  }
  return best;
}

/** Optimal string alignment distance: insertions, deletions, changes, and swaps of neighbours count one each. */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = swapped ? (beforePrevious[j - 2] ?? 0) + 1 : Infinity;
      current.push(Math.min(change, swap, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1));
    }
    [beforePrevious, previous] = [previous, current];
  }
  return previous[b.length] ?? 0;
}
