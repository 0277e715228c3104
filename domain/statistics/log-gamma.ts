/** Below this the series is too coarse; the recurrence lifts the argument over it. */
const SERIES_FROM = 15;

/** `ln Gamma(x)` for `x > 0` by Stirling's series (Abramowitz and Stegun 6.1.41); relative error below 1e-13. */
export function logGamma(x: number): number {
  let shift = 0;
  let z = x;
  while (z < SERIES_FROM) {
    shift += Math.log(z);
    z += 1;
  }
  const inverse = 1 / z;
  const square = inverse * inverse;
  const series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188))));
  return (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + series - shift;
}

/** Log probability of the ordered draws behind `counts` when the shares are drawn from `Dirichlet(prior)`. */
export function logDirichletMultinomial(counts: readonly number[], prior: readonly number[]): number {
  let total = 0;
  let weight = 0;
  let log = 0;
  counts.forEach((count, i) => {
    const a = prior[i] ?? 1;
    total += count;
    weight += a;
    log += logGamma(count + a) - logGamma(a);
  });
  return log + logGamma(weight) - logGamma(total + weight);
}
