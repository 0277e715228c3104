import { logAdd, logMean, logSum } from './log-space.ts';
import { BURST_MS, isShort, type WindowCounts } from './windows.ts';

/** A limit of nothing, or of everything, is judged as this close to it: there the ratios have no meaning. */
const LIMIT_RANGE = { min: 1e-6, max: 0.9 };
/** Alternatives above the limit, as multiples of it. */
const WORSE = [1.2, 1.4, 1.6, 2, 3, 5, 10, 20, 50, 100, 300];
/** Under a limit of 1 %, telling 1.6 times the limit from the limit takes more requests than a rollout sees. */
const COARSE_LIMIT = 0.01;
const COARSE_MIN = 2;
/** How much of the evidence looks for each of these: a candidate that breaks rarely breaks by a little, and is to be found fast. */
const COARSE_EMPHASIS = [0.7, 1, 3, 6, 1.2, 0.3, 0.2, 0.1];
/** Alternatives must stay below certainty, where one good request would rule them out. */
const SHARE_MAX = 0.9;
/** Alternatives below the limit: they carry the proof of health. */
const BETTER = [0.1, 0.2, 0.35, 0.5, 0.7];
/** A bet of everything would be lost for good in the first window without a hit. */
const BET_MAX = 0.9;

/** Share of the evidence that looks for a break after a good beginning, and how its starts are spread: per 10 s and day. */
const RESTART = { share: 0.1, everyMs: 10_000, dayMs: 24 * 3_600_000 };

/** The limit as it can be judged. */
export function judgedLimit(limit: number): number {
  return Math.min(Math.max(limit, LIMIT_RANGE.min), LIMIT_RANGE.max);
}

export function worseShares(limit: number): readonly number[] {
  const multiples = limit < COARSE_LIMIT ? WORSE.filter((m) => m >= COARSE_MIN) : WORSE;
  const shares = multiples.map((m) => m * limit).filter((q) => q < SHARE_MAX);
  return shares.length > 0 ? shares : [(limit + 1) / 2];
}

export function betterShares(limit: number): readonly number[] {
  return BETTER.map((m) => m * limit);
}

/** Log likelihood ratio of the share `q` against `limit` for independent requests. */
function logRatio(hits: number, requests: number, limit: number, q: number): number {
  return hits * Math.log(q / limit) + (requests - hits) * (Math.log1p(-q) - Math.log1p(-limit));
}

/**
 * Log of the mean likelihood ratio of the alternatives `shares` against the limit: `E = mean over q of
 * (q/p)^k ((1-q)/(1-p))^(n-k)` for `k` of `n` independent requests. E is a non-negative martingale when the true share
 * is `p`: it ever reaches `1/alpha` with a probability of at most alpha (Ville's inequality; arXiv:2205.14762).
 */
export function logEvidence(hits: number, requests: number, limit: number, shares: readonly number[]): number {
  return logMean(shares.map((q) => logRatio(hits, requests, limit, q)));
}

/**
 * Share of the evidence that is bet on a window of `requests`, for the alternative `q`. For few expected hits this is
 * the likelihood ratio's own bet; it only has to be fixed before the hits are known.
 */
function betOn(requests: number, limit: number, q: number): number {
  return Math.min(BET_MAX, -Math.expm1(-(q - limit) * requests));
}

/** Burst size from which errors are taken to come in bursts rather than singly. */
const BURSTY_FROM = 2.5;

/**
 * Log of what each window multiplies the evidence by. Short window: `1 - a + a k/(n p)`, a bet at fair odds on the mean
 * alone (arXiv:2010.09686, section 4), so that errors in bursts within the window convict no more than they may. Where
 * errors come in bursts, the windows of `BURST_MS` from a hit on are bet on with one stake that is not raised on the way:
 * a burst that spans them counts by its size and not by its square. Merged window: the likelihood ratio, slowed down by
 * the measured burst size.
 */
function logFactors(windows: readonly WindowCounts[], limit: number, q: number, bursts: number): number[] {
  let unitEndMs = -Infinity;
  let wealth = 1;
  let quiet = { requests: 0, log: 0 };
  return windows.map((window) => {
    const { requests, hits, startMs } = window;
    if (requests === 0) return 0;
    if (!isShort(window)) return logRatio(hits, requests, limit, q) / bursts;
    // Most windows have no hit and the traffic of their neighbour: their logarithm is known already.
    const singly = bursts < BURSTY_FROM || (hits === 0 && startMs >= unitEndMs);
    if (singly && hits === 0 && requests === quiet.requests) return quiet.log;
    const bet = betOn(requests, limit, q);
    const gain = hits / (requests * limit) - 1;
    if (singly) {
      const log = Math.log1p(bet * gain);
      if (hits === 0) quiet = { requests, log };
      return log;
    }
    if (startMs >= unitEndMs) {
      wealth = 1;
      unitEndMs = startMs + BURST_MS;
    }
    const before = wealth;
    wealth += Math.min(bet, BET_MAX * wealth) * gain;
    return Math.log(wealth / before);
  });
}

/** Log evidence that the share of hits is above `limit`, over windows in order of time. Valid at every look. */
export function logAgainst(windows: readonly WindowCounts[], limit: number, bursts: number): number {
  const shares = worseShares(limit);
  const weights = shares.map((_, i) => (limit < COARSE_LIMIT ? (COARSE_EMPHASIS[i] ?? 0) : 1));
  const all = weights.reduce((sum, w) => sum + w, 0);
  const logs = shares.map((q) => mixRestarts(windows, logFactors(windows, limit, q, bursts)));
  return logSum(logs.map((log, i) => log + Math.log((weights[i] ?? 1) / all)));
}

/** Log evidence that the share of hits is below `limit`: the mirrored test. */
export function logHealth(windows: readonly WindowCounts[], limit: number, bursts: number): number {
  let hits = 0;
  let requests = 0;
  for (const w of windows) {
    hits += w.hits;
    requests += w.requests;
  }
  return logMean(betterShares(limit).map((q) => logRatio(hits, requests, limit, q) / bursts));
}

/**
 * A long good time would have to be made up for before a break shows. So a part of the evidence starts anew every few
 * seconds, with weights that sum to one over all time (e-detectors: arXiv:2203.03532): a mean of martingales is one.
 */
export function mixRestarts(
  windows: readonly { readonly startMs: number; readonly durationMs: number }[],
  factors: readonly number[],
): number {
  const begin = windows[0]?.startMs ?? 0;
  let whole = 0;
  let restarted = -Infinity;
  let slot = 0;
  windows.forEach((window, i) => {
    const age = window.startMs - begin;
    const here = Math.floor(age / RESTART.everyMs);
    if (isShort(window) && here > slot) {
      slot = here;
      restarted = logAdd(restarted, logRestartWeight(age));
    }
    const factor = factors[i] ?? 0;
    whole += factor;
    restarted += factor;
  });
  return logAdd(Math.log1p(-RESTART.share) + whole, Math.log(RESTART.share) + restarted);
}

/** Day `d` has `1/((d+1)(d+2))` of the weight, spread evenly over its starts. */
function logRestartWeight(ageMs: number): number {
  const day = Math.floor(ageMs / RESTART.dayMs);
  return -Math.log((day + 1) * (day + 2) * (RESTART.dayMs / RESTART.everyMs));
}
