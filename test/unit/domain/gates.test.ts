import { describe, expect, it } from 'vitest';
import { judgeGates, type GateInput } from '../../../domain/gates.ts';
import { notEvaluated } from '../../../domain/evaluation.ts';
import type { Evaluation, GateResult } from '../../../domain/evaluation.ts';

const evaluation: Evaluation = {
  auc: 0.85,
  prAuc: 0.66,
  logLoss: 0.41,
  accuracy: 0.81,
  brier: 0.13,
  ece: 0.02,
  rows: 1_400,
  positives: 370,
  threshold: 0.5,
  confusion: { truePositive: 200, falsePositive: 100, trueNegative: 930, falseNegative: 170 },
};

const input: GateInput = {
  policy: {
    quality: { auc: { min: 0.85 }, logLoss: { max: 0.41 }, ece: { min: 0, max: 0.05 } },
    champion: { metric: 'logLoss', tolerance: 0.002 },
    latencyP95MsMax: 5,
    throughputRowsPerSecondMin: 1_000,
  },
  evaluation,
  championEvaluation: { ...evaluation, logLoss: 0.409 },
  performance: { singleRowP50Ms: 0.2, singleRowP95Ms: 5, rowsPerSecond: 1_000, artefactBytes: 10, runs: 200 },
};

const gate = (results: readonly GateResult[], name: string) => results.find((r) => r.gate === name);
const failed = (results: readonly GateResult[]) => results.filter((r) => !r.passed).map((r) => r.gate);

describe('the gates', () => {
  it('pass when every bound is just met, each with its evidence', () => {
    const results = judgeGates(input);
    expect(results.map((r) => r.gate)).toEqual([
      'quality.auc',
      'quality.logLoss',
      'quality.ece',
      'champion',
      'latency',
      'throughput',
    ]);
    expect(failed(results)).toEqual([]);
    expect(gate(results, 'quality.auc')).toMatchObject({
      message: 'auc is 0.85 on 1400 held-out rows, at least 0.85 is asked for',
      evidence: { value: 0.85, min: 0.85, max: null, rows: 1_400 },
    });
    expect(gate(results, 'latency')?.evidence).toEqual({ p50Ms: 0.2, p95Ms: 5, p95MsMax: 5, runs: 200 });
  });

  it('fail just outside each bound', () => {
    const worse = judgeGates({
      ...input,
      evaluation: { ...evaluation, auc: 0.8499, logLoss: 0.4101, ece: 0.051 },
      performance: { ...input.performance, singleRowP95Ms: 5.01, rowsPerSecond: 999 },
    });
    expect(failed(worse)).toEqual(['quality.auc', 'quality.logLoss', 'quality.ece', 'latency', 'throughput']);
  });

  it('compare with the champion in the direction of the metric', () => {
    const against = (metric: 'auc' | 'logLoss', champion: number, tolerance: number) =>
      gate(
        judgeGates({
          ...input,
          policy: { ...input.policy, champion: { metric, tolerance } },
          championEvaluation: { ...evaluation, [metric]: champion },
        }),
        'champion',
      )?.passed;
    expect(against('auc', 0.852, 0.002)).toBe(true);
    expect(against('auc', 0.8521, 0.002)).toBe(false);
    expect(against('auc', 0.7, 0)).toBe(true);
    expect(against('logLoss', 0.408, 0.002)).toBe(true);
    expect(against('logLoss', 0.4079, 0.002)).toBe(false);
    expect(against('logLoss', 0.9, 0)).toBe(true);
  });

  it('have nothing to compare with for the first version', () => {
    expect(gate(judgeGates({ ...input, championEvaluation: null }), 'champion')).toMatchObject({
      passed: true,
      message: 'there is no champion to compare with',
    });
  });

  it('of quality fail without labelled rows, and there is nothing to compare on', () => {
    const results = judgeGates({ ...input, evaluation: notEvaluated(0.5) });
    expect(failed(results)).toEqual(['quality.auc', 'quality.logLoss', 'quality.ece']);
    expect(gate(results, 'champion')?.message).toBe('there are no labelled rows to compare on');
  });

  it('pass nothing on a number that is not one', () => {
    const broken = judgeGates({
      ...input,
      evaluation: { ...evaluation, auc: NaN, logLoss: NaN, ece: NaN },
      performance: { ...input.performance, singleRowP95Ms: NaN, rowsPerSecond: NaN },
    });
    expect(failed(broken)).toHaveLength(6);
  });
});
