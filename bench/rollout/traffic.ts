import { NO_COUNTS, addCounts, type VariantCounts } from '../../domain/records.ts';
import { WINDOW_LADDER, type Arm, type ArmWindow, type Observation } from '../../domain/verdict.ts';
import { exponential, geometric, type Random } from './random.ts';

/** How one arm behaves. */
export interface Behaviour {
  /** Long-run share of failed requests. */
  readonly errorRate: number;
  /** Mean size of the bursts in which errors come, geometrically distributed; 1: each alone. */
  readonly burstMean?: number;
  /** Mean delay of a burst's errors after its beginning, ms. */
  readonly burstMs?: number;
  readonly slowRate?: number;
  /** The rates hold from then on, ms after the start; before, the arm has no errors. */
  readonly fromMs?: number;
}

export interface Traffic {
  readonly perSecond: number;
  readonly weights: Readonly<Record<Arm, number>>;
  readonly behaviour: Readonly<Record<Arm, Behaviour>>;
  readonly durationMs: number;
}

const FINE_MS = WINDOW_LADDER[0]?.windowMs ?? 2_000;
export const fineMs = FINE_MS;

/** Sums up to each short window, so that any stretch is a difference. */
export interface Stream {
  readonly traffic: Traffic;
  readonly windows: number;
  readonly requests: Readonly<Record<Arm, number>>;
  readonly errors: Readonly<Record<Arm, Float64Array>>;
  readonly slow: Readonly<Record<Arm, Float64Array>>;
}

export function simulate(traffic: Traffic, random: Random): Stream {
  const windows = Math.ceil(traffic.durationMs / FINE_MS);
  const requests = record((arm) => Math.round((traffic.perSecond * traffic.weights[arm] * FINE_MS) / 100_000));
  const errors = record((arm) => sums(hits(traffic.behaviour[arm], requests[arm], windows, random)));
  const slow = record((arm) => {
    const { slowRate = 0 } = traffic.behaviour[arm];
    return sums(hits({ errorRate: slowRate }, requests[arm], windows, random));
  });
  return { traffic, windows, requests, errors, slow };
}

function record<T>(of: (arm: Arm) => T): Record<Arm, T> {
  return { candidate: of('candidate'), baseline: of('baseline'), champion: of('champion') };
}

/** Hits per short window. */
function hits(behaviour: Behaviour, requests: number, windows: number, random: Random): Float64Array {
  const { errorRate, burstMean = 1, burstMs = 300, fromMs = 0 } = behaviour;
  const found = new Float64Array(windows);
  if (requests === 0 || errorRate <= 0) return found;
  const begin = Math.floor(fromMs / FINE_MS) * requests;
  const last = windows * requests;
  const rate = errorRate / burstMean;
  for (let at = begin + geometric(random, rate); at < last; at += 1 + geometric(random, rate)) {
    const size = burstMean <= 1 ? 1 : 1 + geometric(random, 1 / burstMean);
    for (let i = 0; i < size; i++) {
      const delayMs = burstMean <= 1 ? 0 : exponential(random, burstMs);
      const window = Math.floor(at / requests + delayMs / FINE_MS);
      const before = found[window];
      if (before !== undefined && before < requests) found[window] = before + 1;
    }
  }
  return found;
}

function sums(perWindow: Float64Array): Float64Array {
  const total = new Float64Array(perWindow.length + 1);
  perWindow.forEach((k, i) => (total[i + 1] = (total[i] ?? 0) + k));
  return total;
}

/** What a judge is shown after the first `windows` short windows: merged by age as the store merges them. */
export function observe(stream: Stream, windows: number): Observation {
  const byWindow: ArmWindow[] = [];
  let end = windows;
  const nowMs = windows * FINE_MS;
  for (const { youngerThanMs, windowMs } of WINDOW_LADDER) {
    const length = Math.max(1, Math.round(windowMs / FINE_MS));
    const from = Math.max(0, Math.ceil((nowMs - youngerThanMs) / FINE_MS));
    while (end > from) {
      const start = Math.max(from, Math.floor((end - 1) / length) * length);
      byWindow.push(windowOf(stream, start, end, windowMs));
      end = start;
    }
  }
  byWindow.reverse();
  const total = (arm: Arm): VariantCounts =>
    byWindow.reduce<VariantCounts>((all, w) => addCounts(all, w.counts[arm]), NO_COUNTS);
  const candidate = total('candidate');
  return { candidate, champion: total('champion'), windows, byWindow, outcomes: [], shadow: null, scores: [] };
}

function windowOf(stream: Stream, from: number, to: number, durationMs: number): ArmWindow {
  const counts = record((arm): VariantCounts => {
    const between = (of: Float64Array) => (of[to] ?? 0) - (of[from] ?? 0);
    const requests = stream.requests[arm] * (to - from);
    return { requests, errors: between(stream.errors[arm]), slow: between(stream.slow[arm]), latencySumMs: 0 };
  });
  return { startMs: from * FINE_MS, durationMs, weights: stream.traffic.weights, counts };
}
