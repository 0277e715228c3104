import { CATEGORY_MISSING, ENCODED_TENSOR, OUTPUT_TENSOR } from '../../domain/encoding.ts';
import type { FeatureSpec } from '../../domain/signature.ts';
import { basisSize, createBasisEvaluator } from '../training/spline-basis.ts';
import type { SplineModel, Term } from '../training/design.ts';
import { attribute, cast, constant, node } from './graph.ts';
import type { GraphPart } from './graph.ts';
import { writeModel } from './model-file.ts';

/**
 * Logistic regression on splines as ONNX. Between two knots a feature's curve is a cubic in `u`, the way gone from the
 * left knot to the right one (0 to 1, clipped). So the whole curve is its value at the first knot plus, for each interval,
 * `a u + b u^2 + c u^3`: intervals not reached give 0, intervals passed give their full rise, and beyond the last knot the
 * curve stays constant. All arithmetic is in double: only the last rounding, to the float answer, is left.
 */
export function writeSplineOnnx(features: readonly FeatureSpec[], model: SplineModel): Uint8Array {
  return writeModel(features, splineScorer(model), { kind: 'additive', means: meanAdditions(features.length, model) });
}

/**
 * Mean over the training rows of what each feature adds to `start`: a curve counts from its value at the first knot, as
 * its intervals do.
 */
function meanAdditions(featureCount: number, { layout, weights, means }: SplineModel): readonly number[] {
  const additions = new Array<number>(featureCount).fill(0);
  for (const term of layout.terms) {
    let mean = term.kind === 'spline' ? -expandCurve(term, weights).start : 0;
    for (let i = term.offset; i < term.offset + termSize(term); i += 1) {
      mean += (weights[i] as number) * (means[i] as number);
    }
    additions[term.feature] = (additions[term.feature] as number) + mean;
  }
  return additions;
}

function termSize(term: Term): number {
  switch (term.kind) {
    case 'spline':
      return basisSize(term.basis);
    case 'categories':
      return term.count;
    case 'missing':
      return 1;
  }
}

interface Interval {
  readonly feature: number;
  readonly median: number;
  readonly from: number;
  readonly width: number;
  /** Rises by u, u^2 and u^3. */
  readonly rise: readonly [number, number, number];
}

/** 1 when the feature equals the code. */
interface Indicator {
  readonly feature: number;
  readonly code: number;
  readonly weight: number;
}

function splineScorer({ layout, weights, intercept }: SplineModel): GraphPart {
  const terms = layout.terms;
  const curves = terms.filter((t) => t.kind === 'spline').map((t) => expandCurve(t, weights));
  const intervals = curves.flatMap((c) => c.intervals);
  const start = curves.reduce((sum, c) => sum + c.start, intercept);
  const indicators = terms.flatMap((t) => expandCategories(t, weights));
  const missing = terms.filter((t) => t.kind === 'missing' && !t.category);
  const parts = [
    intervals.length > 0 ? intervalPart(intervals) : null,
    indicators.length > 0 ? indicatorPart(indicators) : null,
    missing.length > 0 ? missingPart(missing, weights) : null,
  ].filter((part) => part !== null);
  return {
    nodes: [...parts.flatMap((p) => p.nodes), ...sumPart(parts.map((p) => p.sum))],
    constants: [...parts.flatMap((p) => p.constants), constant.doubles('start', [1, 1], [start])],
  };
}

/** A part with the tensor `[N, 1]` it adds to the log odds. */
type Addend = GraphPart & { readonly sum: string };

function intervalPart(intervals: readonly Interval[]): Addend {
  const row = (name: string, value: (i: Interval) => number) =>
    constant.doubles(name, [1, intervals.length], intervals.map(value));
  return {
    sum: 'spline/sum',
    nodes: [
      node('Gather', [ENCODED_TENSOR, 'spline/feature'], 'spline/float', [attribute.int('axis', 1)]),
      cast('spline/float', 'spline/raw', 'double'),
      node('IsNaN', ['spline/raw'], 'spline/missing'),
      node('Where', ['spline/missing', 'spline/median', 'spline/raw'], 'spline/x'),
      node('Sub', ['spline/x', 'spline/from'], 'spline/distance'),
      node('Div', ['spline/distance', 'spline/width'], 'spline/way'),
      node('Clip', ['spline/way', 'spline/zero', 'spline/one'], 'spline/u'),
      node('Mul', ['spline/u', 'spline/u'], 'spline/u2'),
      node('Mul', ['spline/u2', 'spline/u'], 'spline/u3'),
      node('Concat', ['spline/u', 'spline/u2', 'spline/u3'], 'spline/powers', [attribute.int('axis', 1)]),
      node('MatMul', ['spline/powers', 'spline/rises'], 'spline/sum'),
    ],
    constants: [
      featureIndex('spline/feature', intervals),
      row('spline/median', (i) => i.median),
      row('spline/from', (i) => i.from),
      row('spline/width', (i) => i.width),
      constant.doubles('spline/zero', [], [0]),
      constant.doubles('spline/one', [], [1]),
      constant.doubles(
        'spline/rises',
        [3 * intervals.length, 1],
        ([0, 1, 2] as const).flatMap((power) => intervals.map((i) => i.rise[power])),
      ),
    ],
  };
}

function indicatorPart(indicators: readonly Indicator[]): Addend {
  const column = [indicators.length, 1];
  return {
    sum: 'category/sum',
    nodes: [
      node('Gather', [ENCODED_TENSOR, 'category/feature'], 'category/float', [attribute.int('axis', 1)]),
      cast('category/float', 'category/code', 'double'),
      node('Equal', ['category/code', 'category/codes'], 'category/equal'),
      cast('category/equal', 'category/one', 'double'),
      node('MatMul', ['category/one', 'category/weights'], 'category/sum'),
    ],
    constants: [
      featureIndex('category/feature', indicators),
      constant.doubles(
        'category/codes',
        [1, indicators.length],
        indicators.map((i) => i.code),
      ),
      constant.doubles(
        'category/weights',
        column,
        indicators.map((i) => i.weight),
      ),
    ],
  };
}

function missingPart(terms: readonly Term[], weights: Float64Array): Addend {
  return {
    sum: 'missing/sum',
    nodes: [
      node('Gather', [ENCODED_TENSOR, 'missing/feature'], 'missing/float', [attribute.int('axis', 1)]),
      node('IsNaN', ['missing/float'], 'missing/is'),
      cast('missing/is', 'missing/one', 'double'),
      node('MatMul', ['missing/one', 'missing/weights'], 'missing/sum'),
    ],
    constants: [
      featureIndex('missing/feature', terms),
      constant.doubles(
        'missing/weights',
        [terms.length, 1],
        terms.map((t) => weights[t.offset] as number),
      ),
    ],
  };
}

function sumPart(sums: readonly string[]): GraphPart['nodes'] {
  const additions = sums.map((sum, i) => node('Add', [i === 0 ? 'start' : `odds/${i - 1}`, sum], `odds/${i}`));
  return [
    ...additions,
    node('Sigmoid', [`odds/${sums.length - 1}`], 'probability/double'),
    cast('probability/double', OUTPUT_TENSOR, 'float'),
  ];
}

function featureIndex(name: string, of: readonly { readonly feature: number }[]) {
  return constant.ints(
    name,
    [of.length],
    of.map((o) => o.feature),
  );
}

/** The curve of a feature as its value at the first knot and one cubic per interval. */
function expandCurve(term: Extract<Term, { kind: 'spline' }>, weights: Float64Array) {
  const { knots, degree } = term.basis;
  const evaluate = createBasisEvaluator(term.basis);
  const out = new Float64Array(degree + 1);
  const curve = (x: number): number => {
    const first = term.offset + evaluate(x, out);
    return out.reduce((sum, value, i) => sum + value * (weights[first + i] as number), 0);
  };
  const intervals = knots.slice(1).map((to, i): Interval => {
    const from = knots[i] as number;
    const width = to - from;
    const rise = cubicThrough(curve(from), curve(from + width / 3), curve(from + (2 * width) / 3), curve(to));
    return { feature: term.feature, median: term.median, from, width, rise };
  });
  return { start: curve(knots[0] as number), intervals };
}

/** Coefficients of u, u^2, u^3 of the cubic with these values at 0, 1/3, 2/3 and 1 (Lagrange). */
function cubicThrough(v0: number, v1: number, v2: number, v3: number): [number, number, number] {
  return [
    (-11 * v0 + 18 * v1 - 9 * v2 + 2 * v3) / 2,
    (18 * v0 - 45 * v1 + 36 * v2 - 9 * v3) / 2,
    (-9 * v0 + 27 * v1 - 27 * v2 + 9 * v3) / 2,
  ];
}

function expandCategories(term: Term, weights: Float64Array): Indicator[] {
  const weight = (i: number): number => weights[term.offset + i] as number;
  if (term.kind === 'categories') {
    return Array.from({ length: term.count }, (_, code) => ({ feature: term.feature, code, weight: weight(code) }));
  }
  if (term.kind === 'missing' && term.category) {
    return [{ feature: term.feature, code: CATEGORY_MISSING, weight: weight(0) }];
  }
  return [];
}
