/** Longer names are compared by their beginning: the work is at most 64 x 64 steps a pair. */
const COMPARED_CHARS = 64;

/**
 * The name a person most likely meant: equal but for case and separators, else within a third of its length in edits.
 * @returns `null` when nothing is near
 */
export function nearestName(name: string, candidates: readonly string[]): string | null {
  const wanted = plain(name);
  let best: string | null = null;
  let bestDistance = Infinity;
  for (const candidate of candidates) {
    const other = plain(candidate);
    if (other === wanted) return candidate;
    const distance = editDistance(wanted, other);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return bestDistance <= Math.max(1, Math.floor(wanted.length / 3)) ? best : null;
}

function plain(name: string): string {
  return name
    .slice(0, COMPARED_CHARS)
    .toLowerCase()
    .replaceAll(/[\s_.-]+/g, '');
}

/** Levenshtein distance with two rows (Wagner and Fischer, 1974). */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
