const DAY_MS = 86_400_000;

/**
 * Until when the store is asked to keep what is written: so many days from then. On a full second, rounded up, as stores
 * keep no fractions; `undefined`: no lock.
 */
export function lockEnd(lockDays: number | null, fromMs: number): Date | undefined {
  return lockDays === null ? undefined : new Date(Math.ceil((fromMs + lockDays * DAY_MS) / 1000) * 1000);
}
