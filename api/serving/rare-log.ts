/** Distinct keys remembered; beyond it the memory starts anew, which costs a few lines. */
const KEYS_MAX = 1_000;

/** Lets a line through once per key and interval: an outage must not become one of the log. */
export function createRareLog(everyMs: number): (key: string, write: () => void) => void {
  const lastMs = new Map<string, number>();
  return (key, write) => {
    const now = performance.now();
    if (now - (lastMs.get(key) ?? -Infinity) < everyMs) return;
    if (lastMs.size >= KEYS_MAX) lastMs.clear();
    lastMs.set(key, now);
    write();
  };
}
