import { describe, expect, it } from 'vitest';
import { againstBaseline, againstLimit, windowRule } from '../../../bench/rollout/fixed-looks.ts';
import { runLive } from '../../../bench/rollout/live-traffic.ts';
import { runOutcomes } from '../../../bench/rollout/outcome-looks.ts';

/** Small, seeded versions of `npm run bench -- rollout`. */
const SEED = 7;
const MINUTE_MS = 60_000;

describe('looking again and again at 30,000 independent requests', () => {
  it('rolls back at most one in a hundred candidates exactly at the limit', () => {
    expect(againstLimit(0.001, 0.001, 1_000, SEED).rollback).toBeLessThanOrEqual(0.01);
    expect(againstLimit(0.05, 0.05, 200, SEED).rollback).toBeLessThanOrEqual(0.01);
    expect(againstBaseline(1, 0.0005, 500, SEED).rollback).toBeLessThanOrEqual(0.01);
  });

  it('finds what is worse as fast as the method promises', () => {
    expect(againstLimit(0.005, 0.001, 200, SEED).rollbackMedian).toBeLessThanOrEqual(2_000);
    expect(againstLimit(0.01, 0.001, 200, SEED)).toMatchObject({ rollback: 1, rollbackMedian: 500 });
    expect(againstLimit(0.07, 0.05, 200, SEED).rollbackMedian).toBeLessThanOrEqual(2_000);
    expect(againstBaseline(4, 0.0005, 200, SEED).rollbackMedian).toBeLessThanOrEqual(5_000);
    expect(againstBaseline(10, 0.0005, 200, SEED).rollbackMedian).toBeLessThanOrEqual(1_500);
  });

  it('shows what is fine to be fine', () => {
    const fine = againstLimit(0.0002, 0.001, 300, SEED);
    expect(fine.healthy).toBeGreaterThan(0.98);
    expect(fine.healthyMedian).toBeLessThanOrEqual(9_500);
    expect(againstLimit(0.03, 0.05, 200, SEED).healthyMedian).toBeLessThanOrEqual(1_500);
  });

  it('is needed: a rule on windows sends back a candidate at half the limit', () => {
    expect(windowRule(0.0005, 0.001, 1, 300, SEED).rollback).toBe(1);
    expect(windowRule(0.0005, 0.001, 3, 300, SEED).rollback).toBeGreaterThan(0.3);
  });
});

describe('the judge as it ships', () => {
  it('finds 1 % errors at 5 % of 200 requests a second within a minute', () => {
    const candidate = { errorRate: 0.01 };
    const champion = { errorRate: 0.0002 };
    const setting = { candidate, champion, durationMs: 10 * MINUTE_MS, runs: 40, seed: SEED, onlyAfterHits: true };
    const { rollback, medianMs } = runLive({ ...setting, lookEveryMs: 4_000 });
    expect(rollback).toBe(1);
    expect(medianMs).toBeLessThanOrEqual(72_000);
  });

  it('is not fooled by errors in bursts', () => {
    const behaviour = { errorRate: 0.001, burstMean: 10, burstMs: 1_000 };
    const setting = { candidate: behaviour, champion: behaviour, durationMs: 50 * MINUTE_MS, runs: 50, seed: SEED };
    expect(runLive({ ...setting, lookEveryMs: 4_000, onlyAfterHits: true }).rollback).toBeLessThanOrEqual(0.02);
  });

  it('finds a break after a good hour', () => {
    const sinceMs = 60 * MINUTE_MS;
    const candidate = { errorRate: 0.1, fromMs: sinceMs };
    const setting = {
      candidate,
      champion: { errorRate: 0.0002 },
      sinceMs,
      durationMs: 70 * MINUTE_MS,
      runs: 5,
      seed: SEED,
    };
    const { rollback, medianMs } = runLive({ ...setting, lookEveryMs: 4_000, onlyAfterHits: true });
    expect(rollback).toBe(1);
    expect(medianMs).toBeLessThanOrEqual(60_000);
  });

  it('keeps its promise on business metrics', () => {
    expect(runOutcomes(0, 100, SEED).rollback).toBeLessThanOrEqual(0.01);
    expect(runOutcomes(0.15, 50, SEED)).toEqual({ rollback: 1, healthy: 0 });
  });
});
