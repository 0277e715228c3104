/**
 * B-splines over quantile knots with constant continuation, built like scikit-learn's `SplineTransformer`: the knots are
 * continued beyond both ends at the distance of the outermost pair.
 */
export interface SplineBasis {
  readonly degree: 1 | 3;
  /** At least two, ascending. The curve is constant outside the first and last. */
  readonly knots: readonly number[];
}

/** Up to this many distinct values each gets a knot of its own and straight lines between: a count or a flag. */
const FEW_VALUES_MAX = 8;
/** Fewer distinct quantiles than this cannot carry a curve: then quantiles of the distinct values are taken. */
const KNOTS_MIN = 4;

/**
 * Chooses the knots for the values of a feature; NaN is left out.
 * @returns null when there are fewer than two distinct values: nothing can be learnt from them
 */
export function chooseBasis(values: Float64Array, knotCount: number): SplineBasis | null {
  const sorted = values.filter((v) => !Number.isNaN(v)).sort();
  const distinct = sorted.filter((v, i) => i === 0 || v !== sorted[i - 1]);
  if (distinct.length < 2) return null;
  if (distinct.length <= FEW_VALUES_MAX) return { degree: 1, knots: [...distinct] };
  const knots = quantileKnots(sorted, knotCount);
  return { degree: 3, knots: knots.length >= KNOTS_MIN ? knots : quantileKnots(distinct, knotCount) };
}

/** Number of basis functions. */
export function basisSize(basis: SplineBasis): number {
  return basis.knots.length + basis.degree - 1;
}

/** The basis functions that are not zero at `x`: the first one's number; their values go to `out[0..degree]`. */
type BasisEvaluator = (x: number, out: Float64Array) => number;

/** Cox-de Boor recursion over the functions that are not zero (Piegl and Tiller, The NURBS Book, algorithm A2.2). */
export function createBasisEvaluator({ degree, knots }: SplineBasis): BasisEvaluator {
  const all = continueKnots(knots, degree);
  const first = knots[0] as number;
  const last = knots.at(-1) as number;
  return (x, out) => {
    const inside = Math.min(Math.max(x, first), last);
    let interval = 0;
    while (interval < knots.length - 2 && inside >= (knots[interval + 1] as number)) interval += 1;
    const origin = interval + degree;
    out[0] = 1;
    for (let d = 1; d <= degree; d += 1) {
      let carried = 0;
      for (let r = 0; r < d; r += 1) {
        const right = all[origin + r + 1] as number;
        const left = all[origin + r + 1 - d] as number;
        const share = (out[r] as number) / (right - left);
        out[r] = carried + (right - inside) * share;
        carried = (inside - left) * share;
      }
      out[d] = carried;
    }
    return interval;
  };
}

/** Linear-interpolated percentiles, each value once. */
function quantileKnots(sorted: Float64Array, count: number): number[] {
  const knots = Array.from({ length: count }, (_, i) => quantile(sorted, i / (count - 1)));
  return knots.filter((knot, i) => i === 0 || knot > (knots[i - 1] as number));
}

/** Quantile of ascending values, linear between neighbours (NumPy's default). */
export function quantile(sorted: Float64Array, share: number): number {
  const position = share * (sorted.length - 1);
  const below = Math.floor(position);
  const low = sorted[below] as number;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return low + (high - low) * (position - below);
}

function continueKnots(knots: readonly number[], degree: number): Float64Array {
  const first = knots[0] as number;
  const last = knots.at(-1) as number;
  const firstGap = (knots[1] as number) - first;
  const lastGap = last - (knots.at(-2) as number);
  const before = Array.from({ length: degree }, (_, i) => first - firstGap * (degree - i));
  const after = Array.from({ length: degree }, (_, i) => last + lastGap * (i + 1));
  return Float64Array.from([...before, ...knots, ...after]);
}
