import { betterShares, judgedLimit, logEvidence, worseShares } from './limit-evidence.ts';

/** More requests than a rollout sees; searches end here. */
const REQUESTS_MAX = 1e12;

/** Quantile of the standard normal by bisection on its distribution function; exact to 1e-9. */
export function normalQuantile(p: number): number {
  let low = -10;
  let high = 10;
  for (let i = 0; i < 80; i++) {
    const mid = (low + high) / 2;
    if (normalShare(mid) < p) low = mid;
    else high = mid;
  }
  return (low + high) / 2;
}

/** Distribution function of the standard normal: the series of Abramowitz and Stegun 26.2.11, exact for |x| < 10. */
export function normalShare(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; n < 300 && Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (x * x) / (2 * n + 1);
    sum += term;
  }
  return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
}

/** Requests without a single error that show an error rate below `limit`: `ln(alpha) / ln(1 - limit)`. */
export function cleanRequestsFor(limit: number, alpha: number): number {
  return Math.ceil(Math.log(alpha) / Math.log1p(-limit));
}

/**
 * Users per arm that a test of two shares needs to find a relative loss of `degradation` from `base` with the
 * probability `power` (one-sided; Fleiss, Statistical Methods for Rates and Proportions, equation 4.14).
 */
export function usersPerArm(base: number, degradation: number, alpha = 0.05, power = 0.8): number {
  const worse = base * (1 - degradation);
  const middle = (base + worse) / 2;
  const alike = Math.sqrt(2 * middle * (1 - middle));
  const apart = Math.sqrt(base * (1 - base) + worse * (1 - worse));
  const z = normalQuantile(1 - alpha) * alike + normalQuantile(power) * apart;
  return Math.ceil((z / (base - worse)) ** 2);
}

/** Requests until the evidence against a candidate with the share `rate` is expected to reach `threshold`; `null`: never. */
export function requestsToDetect(rate: number, limit: number, threshold: number): number | null {
  const judged = judgedLimit(limit);
  const shares = worseShares(judged);
  return requestsUntil((n) => logEvidence(rate * n, n, judged, shares), Math.log(threshold));
}

/** Requests until a candidate with the share `rate` is expected to be shown to be within the limit; `null`: never. */
export function requestsToHealth(rate: number, limit: number, threshold: number): number | null {
  const judged = judgedLimit(limit);
  const shares = betterShares(judged);
  return requestsUntil((n) => logEvidence(rate * n, n, judged, shares), Math.log(threshold));
}

/** Smallest number at which `log` reaches `target`; the expected log evidence crosses it once. */
function requestsUntil(log: (n: number) => number, target: number): number | null {
  let high = 1;
  while (log(high) < target) {
    high *= 2;
    if (high > REQUESTS_MAX) return null;
  }
  let low = high / 2;
  while (high - low > 1 && high - low > low * 1e-9) {
    const mid = (low + high) / 2;
    if (log(mid) < target) low = mid;
    else high = mid;
  }
  return Math.ceil(high);
}
