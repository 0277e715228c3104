import { BURST_MS, isShort, type WindowCounts } from './windows.ts';

/** More than this is a change of the rate and no burst. */
const DISPERSION_MAX = 100;

/**
 * Size of the bursts in which hits come: 1 when they come singly, about the size of the bursts otherwise. From the
 * differences of neighbouring windows of equal length (for equal traffic `sum (k - k')^2 / sum (k + k')`), so that a rate that drifts, or a
 * break, is not taken for bursts. Arms are pooled: bursts are a property of the service.
 */
export function burstSize(arms: readonly (readonly WindowCounts[])[]): number {
  let squares = 0;
  let hits = 0;
  for (const windows of arms) {
    let before: WindowCounts | null = null;
    for (const window of inStretches(windows)) {
      if (window.requests === 0) continue;
      if (before?.durationMs === window.durationMs) {
        // Weighted by the harmonic size, so that changing traffic, or a window just begun, is no burst either.
        const both = before.requests + window.requests;
        const size = (before.requests * window.requests) / both;
        const gap = size * (before.hits / before.requests - window.hits / window.requests);
        squares += gap * gap;
        hits += (size * (before.hits + window.hits)) / both;
      }
      before = window;
    }
  }
  return hits === 0 ? 1 : Math.min(Math.max(1, squares / hits), DISPERSION_MAX);
}

/** Short windows put together to `BURST_MS`, so that a burst on the border of two is seen whole. */
function inStretches(windows: readonly WindowCounts[]): WindowCounts[] {
  const stretches: WindowCounts[] = [];
  for (const window of windows) {
    const last = stretches.at(-1);
    const stretch = Math.floor(window.startMs / BURST_MS);
    if (last === undefined || !isShort(window) || !isShort(last) || Math.floor(last.startMs / BURST_MS) !== stretch) {
      stretches.push(isShort(window) ? { ...window, durationMs: BURST_MS } : window);
    } else {
      const requests = last.requests + window.requests;
      stretches[stretches.length - 1] = { ...last, requests, hits: last.hits + window.hits };
    }
  }
  return stretches;
}
