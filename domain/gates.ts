import type { GatePolicy, QualityMetric } from './definition.ts';
import { QUALITY_METRICS } from './definition.ts';
import type { Evaluation, GateResult, Performance } from './evaluation.ts';

export interface GateInput {
  readonly policy: GatePolicy;
  readonly evaluation: Evaluation;
  /** The champion on the candidate's held-out rows; `null` when the model has no champion. */
  readonly championEvaluation: Evaluation | null;
  readonly performance: Performance;
}

/** Metrics where more is better; of the others (losses and errors) less is. */
const HIGHER_IS_BETTER: ReadonlySet<QualityMetric> = new Set(['auc', 'prAuc', 'accuracy']);
/** Rounding of metrics on the way through JSON and SQL must not decide a gate that is exactly met. */
const ROUNDING = 1e-12;

/** Every gate with its evidence; bounds are inclusive, and a number that is not one (NaN) passes nothing. */
export function judgeGates(input: GateInput): readonly GateResult[] {
  const { policy, performance } = input;
  return [
    ...QUALITY_METRICS.flatMap((metric) => qualityGate(input, metric)),
    championGate(input),
    {
      gate: 'latency',
      passed: performance.singleRowP95Ms <= policy.latencyP95MsMax,
      message: `one row takes ${show(performance.singleRowP95Ms)} ms at the 95th percentile, at most ${policy.latencyP95MsMax} ms are allowed`,
      evidence: {
        p50Ms: performance.singleRowP50Ms,
        p95Ms: performance.singleRowP95Ms,
        p95MsMax: policy.latencyP95MsMax,
        runs: performance.runs,
      },
    },
    {
      gate: 'throughput',
      passed: performance.rowsPerSecond >= policy.throughputRowsPerSecondMin,
      message: `${show(performance.rowsPerSecond)} rows a second in batches, at least ${policy.throughputRowsPerSecondMin} are needed`,
      evidence: {
        rowsPerSecond: performance.rowsPerSecond,
        rowsPerSecondMin: policy.throughputRowsPerSecondMin,
        runs: performance.runs,
      },
    },
  ];
}

function qualityGate({ policy, evaluation }: GateInput, metric: QualityMetric): readonly GateResult[] {
  const bounds = policy.quality[metric];
  if (bounds === undefined) return [];
  if (evaluation.rows === 0) {
    const message = `${metric} is bounded, and the model came without labelled rows to measure it on`;
    return [{ gate: `quality.${metric}`, passed: false, message, evidence: { value: null, rows: 0 } }];
  }
  const value = evaluation[metric];
  const { min, max } = bounds;
  const passed =
    Number.isFinite(value) &&
    (min === undefined || value >= min - ROUNDING) &&
    (max === undefined || value <= max + ROUNDING);
  const wanted = [
    ...(min === undefined ? [] : [`at least ${min}`]),
    ...(max === undefined ? [] : [`at most ${max}`]),
  ].join(' and ');
  return [
    {
      gate: `quality.${metric}`,
      passed,
      message: `${metric} is ${show(value)} on ${evaluation.rows} held-out rows, ${wanted} is asked for`,
      evidence: { value, min: min ?? null, max: max ?? null, rows: evaluation.rows },
    },
  ];
}

function championGate({ policy, evaluation, championEvaluation }: GateInput): GateResult {
  const { metric, tolerance } = policy.champion;
  const candidate = evaluation.rows === 0 ? null : evaluation[metric];
  if (championEvaluation === null || candidate === null) {
    return {
      gate: 'champion',
      passed: true,
      message: candidate === null ? 'there are no labelled rows to compare on' : 'there is no champion to compare with',
      evidence: { metric, candidate, champion: null, tolerance },
    };
  }
  const champion = championEvaluation[metric];
  const worseBy = HIGHER_IS_BETTER.has(metric) ? champion - candidate : candidate - champion;
  const than = worseBy > 0 ? `${show(worseBy)} worse than` : `no worse than`;
  return {
    gate: 'champion',
    passed: worseBy <= tolerance + ROUNDING,
    message: `${metric} is ${show(candidate)}, ${than} the champion's ${show(champion)} on the same ${evaluation.rows} held-out rows; up to ${tolerance} worse is allowed`,
    evidence: { metric, candidate, champion, worseBy, tolerance, rows: evaluation.rows },
  };
}

function show(value: number): string {
  return String(Number(value.toPrecision(4)));
}
