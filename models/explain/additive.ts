import type { onnx } from 'onnx-proto';
import { plainInts } from './attributes.ts';

/** A model whose log odds are a constant plus one term per feature. */
export interface AdditiveModel {
  readonly start: number;
  /** What the value of column `feature` of the encoded matrix adds. */
  readonly additions: readonly ((value: number) => number)[];
}

/** Part of a curve; see `models/onnx/spline-graph.ts`. */
interface Interval {
  readonly median: number;
  readonly from: number;
  readonly width: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

interface Parts {
  readonly intervals: Interval[];
  readonly byCode: Map<number, number>;
  whenMissing: number;
}

/**
 * Reads the constants of a graph as `models/onnx/spline-graph.ts` writes it.
 * @throws RangeError when they do not fit together
 */
export function readAdditive(constants: readonly onnx.ITensorProto[], featureCount: number): AdditiveModel {
  const find = (name: string) => constants.find((c) => c.name === name);
  const ints = (name: string) => plainInts(find(name)?.int64Data);
  const doubles = (name: string): readonly number[] => find(name)?.doubleData ?? [];
  const parts = Array.from({ length: featureCount }, (): Parts => {
    return { intervals: [], byCode: new Map(), whenMissing: 0 };
  });
  const partsOf = (feature: number): Parts => {
    const found = parts[feature];
    if (found === undefined) throw new RangeError(`the graph speaks of feature ${feature}, and there is none`);
    return found;
  };
  const [median, from, width] = [doubles('spline/median'), doubles('spline/from'), doubles('spline/width')];
  const rises = doubles('spline/rises');
  const count = median.length;
  for (const [i, feature] of ints('spline/feature').entries()) {
    const rise = (power: number): number => at(rises, power * count + i);
    partsOf(feature).intervals.push({
      median: at(median, i),
      from: at(from, i),
      width: at(width, i),
      a: rise(0),
      b: rise(1),
      c: rise(2),
    });
  }
  const [codes, weights] = [doubles('category/codes'), doubles('category/weights')];
  for (const [i, feature] of ints('category/feature').entries()) {
    partsOf(feature).byCode.set(at(codes, i), at(weights, i));
  }
  for (const [i, feature] of ints('missing/feature').entries()) {
    partsOf(feature).whenMissing = at(doubles('missing/weights'), i);
  }
  return { start: at(doubles('start'), 0), additions: parts.map(additionOf) };
}

function at(values: readonly number[], index: number): number {
  const value = values[index];
  if (value === undefined) throw new RangeError('a constant of the graph is too short');
  return value;
}

function additionOf({ intervals, byCode, whenMissing }: Parts): (value: number) => number {
  return (value) => {
    const isMissing = Number.isNaN(value);
    let sum = isMissing ? whenMissing : (byCode.get(value) ?? 0);
    for (const { median, from, width, a, b, c } of intervals) {
      const u = Math.min(1, Math.max(0, ((isMissing ? median : value) - from) / width));
      sum += u * (a + u * (b + u * c));
    }
    return sum;
  };
}
