/** Evidence multiplies over thousands of requests: it is kept as a logarithm until it is shown. */

/** Log of `sum of exp(logs)`; `-Infinity` for none. */
export function logSum(logs: readonly number[]): number {
  let largest = -Infinity;
  for (const l of logs) if (l > largest) largest = l;
  if (largest === -Infinity || largest === Infinity) return largest;
  let sum = 0;
  for (const l of logs) sum += Math.exp(l - largest);
  return largest + Math.log(sum);
}

/** Log of the mean of `exp(logs)`. */
export function logMean(logs: readonly number[]): number {
  return logSum(logs) - Math.log(logs.length);
}

/** Log of `exp(a) + exp(b)`. */
export function logAdd(a: number, b: number): number {
  if (a === -Infinity) return b;
  if (b === -Infinity) return a;
  return a > b ? a + Math.log1p(Math.exp(b - a)) : b + Math.log1p(Math.exp(a - b));
}

/** The e-value of a log; finite, because JSON knows no infinity. */
export function eValueOf(log: number): number {
  return Math.min(Math.exp(log), Number.MAX_VALUE);
}
