import { addCounts } from '../records.ts';
import { ARMS, WINDOW_LADDER, type ArmWindow } from '../verdict.ts';

/**
 * Windows in order of time, merged by the age they have at `nowMs` as `WINDOW_LADDER` says. Merged windows start at
 * multiples of their length, and a change of weights begins a new one. Merging again later gives the same as merging once.
 */
export function mergeWindows(windows: readonly ArmWindow[], nowMs: number): readonly ArmWindow[] {
  const merged: ArmWindow[] = [];
  for (const window of windows) {
    const durationMs = Math.max(lengthAt(window.startMs, nowMs), window.durationMs);
    const last = merged.at(-1);
    if (last?.durationMs === durationMs && sameBin(last, window, durationMs) && sameWeights(last, window)) {
      merged[merged.length - 1] = { ...last, counts: summed(last.counts, window.counts) };
    } else {
      merged.push({ ...window, durationMs });
    }
  }
  return merged;
}

/** Windows are merged once all of what they would make is old enough: none is cut in two by its age. */
function lengthAt(startMs: number, nowMs: number): number {
  let lengthMs = 0;
  let olderThanMs = 0;
  for (const { youngerThanMs, windowMs } of WINDOW_LADDER) {
    const endMs = (Math.floor(startMs / windowMs) + 1) * windowMs;
    if (lengthMs > 0 && endMs > nowMs - olderThanMs) break;
    lengthMs = windowMs;
    olderThanMs = youngerThanMs;
  }
  return lengthMs;
}

function sameBin(a: ArmWindow, b: ArmWindow, lengthMs: number): boolean {
  return Math.floor(a.startMs / lengthMs) === Math.floor(b.startMs / lengthMs);
}

function sameWeights(a: ArmWindow, b: ArmWindow): boolean {
  return ARMS.every((arm) => a.weights[arm] === b.weights[arm]);
}

function summed(a: ArmWindow['counts'], b: ArmWindow['counts']): ArmWindow['counts'] {
  return {
    candidate: addCounts(a.candidate, b.candidate),
    baseline: addCounts(a.baseline, b.baseline),
    champion: addCounts(a.champion, b.champion),
  };
}
