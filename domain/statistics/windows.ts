import type { ArmWindow } from '../verdict.ts';

/** Hits among requests in one window of one arm. */
export interface WindowCounts {
  readonly startMs: number;
  readonly durationMs: number;
  readonly requests: number;
  /** Requests with what is counted: an error, or an answer over the latency limit. */
  readonly hits: number;
}

/** The same window of the candidate and of the arm it is compared with. */
export interface PairedWindow {
  readonly candidate: WindowCounts;
  readonly other: WindowCounts;
}

/** Hits closer together than this may have one cause. */
export const BURST_MS = 10_000;

/** Longer windows are merged ones: what they hold is taken apart by the measured burst size. */
export const isShort = (window: { readonly durationMs: number }): boolean => window.durationMs <= BURST_MS;

/**
 * An arm's counts without its first `warmUp` requests. Which of a window's requests came first is not known: the
 * warm-up is taken to have had as many of the hits as it can.
 */
export function afterWarmUp(windows: readonly WindowCounts[], warmUp: number): WindowCounts[] {
  let left = warmUp;
  return windows.map((w) => {
    const skipped = Math.min(w.requests, left);
    left -= skipped;
    if (skipped === 0) return w;
    return {
      ...w,
      requests: w.requests - skipped,
      hits: Math.min(w.requests - skipped, Math.max(0, w.hits - skipped)),
    };
  });
}

/**
 * How many stretches of `BURST_MS` had a hit. A merged window stands for as many as could have been in it.
 */
export function stretchesWithHits(windows: readonly WindowCounts[]): number {
  const begin = windows[0]?.startMs ?? 0;
  let count = 0;
  let last = -1;
  for (const w of windows) {
    if (w.hits === 0) continue;
    const stretch = Math.floor((w.startMs - begin) / BURST_MS);
    if (!isShort(w)) count += Math.min(w.hits, Math.max(1, Math.floor(w.durationMs / BURST_MS)));
    else if (stretch !== last) count += 1;
    last = stretch;
  }
  return count;
}

export function countsOf(
  windows: readonly ArmWindow[],
  arm: keyof ArmWindow['counts'],
  hit: 'errors' | 'slow',
): WindowCounts[] {
  return windows.map(({ startMs, durationMs, counts }) => {
    const { requests } = counts[arm];
    return { startMs, durationMs, requests, hits: Math.min(requests, counts[arm][hit]) };
  });
}
