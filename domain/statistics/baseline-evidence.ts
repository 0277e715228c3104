import { mixRestarts } from './limit-evidence.ts';
import { logMean } from './log-space.ts';
import { isShort, type PairedWindow } from './windows.ts';

/** Rates of the candidate as multiples of the baseline's. */
const WORSE_RATIOS = [1.5, 2, 3, 5, 10, 30];
/** A candidate shown to have less than this multiple of the baseline's rate is as good as the baseline. */
const HEALTHY_RATIO = 2;
const HEALTHY_RATIOS = [0.25, 0.5, 1, 1.4];

/** Probability that a hit fell on the candidate, with the share `w` of the requests and the rate ratio `r`. */
function hitShare(w: number, r: number): number {
  return (w * r) / (w * r + 1 - w);
}

/**
 * Log of what one window multiplies the evidence for the ratio `r` against `r0` by. Given a hit, it fell on the
 * candidate with the probability `hitShare`; the shares are those the window really had, so weights may change and the
 * baseline may have no hits at all. The hits of a short window may be one burst: their ratios are averaged, which is
 * valid however they hang together (Vovk and Wang, arXiv:1912.06116); those of a merged one are slowed down by the burst size.
 */
function logFactor({ candidate, other }: PairedWindow, r: number, r0: number, bursts: number): number {
  const requests = candidate.requests + other.requests;
  const hits = candidate.hits + other.hits;
  if (candidate.requests === 0 || other.requests === 0 || hits === 0) return 0;
  const w = candidate.requests / requests;
  const ours = hitShare(w, r) / hitShare(w, r0);
  const theirs = (1 - hitShare(w, r)) / (1 - hitShare(w, r0));
  if (isShort(candidate)) return Math.log((candidate.hits * ours + other.hits * theirs) / hits);
  return (candidate.hits * Math.log(ours) + other.hits * Math.log(theirs)) / bursts;
}

/** Log evidence that the candidate's rate is above `r0` times the other arm's. Valid at every look. */
export function logWorseThanBaseline(windows: readonly PairedWindow[], r0: number, bursts: number): number {
  const times = windows.map((w) => w.candidate);
  const ratios = WORSE_RATIOS.filter((r) => r > r0);
  return logMean(
    ratios.map((r) =>
      mixRestarts(
        times,
        windows.map((w) => logFactor(w, r, r0, bursts)),
      ),
    ),
  );
}

/** Log evidence that the candidate's rate is below `HEALTHY_RATIO` times the other arm's. */
export function logAsGoodAsBaseline(windows: readonly PairedWindow[], bursts: number): number {
  const total = (r: number): number => windows.reduce((sum, w) => sum + logFactor(w, r, HEALTHY_RATIO, bursts), 0);
  return logMean(HEALTHY_RATIOS.map(total));
}

/**
 * The same for independent hits, from sums with one share of the traffic: the closed form that plans and references use.
 */
export function logBaselineEvidence(hits: number, otherHits: number, w: number, r0 = 1): number {
  return logMean(
    WORSE_RATIOS.filter((r) => r > r0).map(
      (r) =>
        hits * Math.log(hitShare(w, r) / hitShare(w, r0)) +
        otherHits * Math.log((1 - hitShare(w, r)) / (1 - hitShare(w, r0))),
    ),
  );
}
