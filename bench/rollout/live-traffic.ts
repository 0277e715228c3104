import { createJudge } from '../../domain/judge.ts';
import { METRICS_BY_DEFAULT } from '../../domain/rollout/complete-plan.ts';
import type { JudgePolicy } from '../../domain/verdict.ts';
import { median } from './fixed-looks.ts';
import { seeded } from './random.ts';
import { fineMs, observe, simulate, type Behaviour } from './traffic.ts';

/** The judge as it ships, on the traffic of a canary's first step: 5 % of 200 requests a second, baseline as large. */
const PER_SECOND = 200;
const WEIGHTS = { candidate: 5, baseline: 5, champion: 90 };

const POLICY: JudgePolicy = {
  limits: { errorRateMax: 0.001, p95MsMax: 120 },
  metrics: METRICS_BY_DEFAULT,
  alpha: 0.01,
  warmUpRequests: 50,
};

export interface LiveRuns {
  readonly candidate: Behaviour;
  /** Of the champion's version, in both its arms. */
  readonly champion: Behaviour;
  readonly durationMs: number;
  readonly runs: number;
  readonly seed: number;
  readonly lookEveryMs: number;
  /** From here on detection is timed, ms. */
  readonly sinceMs?: number;
  /** Evidence only grows with a hit of the candidate: other looks are left out. */
  readonly onlyAfterHits?: boolean;
}

export interface LiveEnds {
  readonly rollback: number;
  readonly medianMs: number;
  readonly p90Ms: number;
  readonly healthy: number;
  readonly healthyMedianMs: number;
  readonly looks: number;
  /** Time in the judge, all looks. */
  readonly judgeMs: number;
}

export function runLive(setting: LiveRuns): LiveEnds {
  const judge = createJudge();
  const random = seeded(setting.seed);
  const times: number[] = [];
  const healthy: number[] = [];
  let looks = 0;
  let judgeMs = 0;
  for (let i = 0; i < setting.runs; i++) {
    const { candidate, champion, durationMs } = setting;
    const behaviour = { candidate, baseline: champion, champion };
    const stream = simulate({ perSecond: PER_SECOND, weights: WEIGHTS, behaviour, durationMs }, random);
    const step = Math.max(1, Math.round(setting.lookEveryMs / fineMs));
    let hitsBefore = -1;
    let wasHealthy = false;
    for (let w = step; w <= stream.windows; w += step) {
      const hits = (stream.errors.candidate[w] ?? 0) + (stream.slow.candidate[w] ?? 0);
      if (setting.onlyAfterHits === true && hits === hitsBefore) continue;
      hitsBefore = hits;
      const observation = observe(stream, w);
      const began = performance.now();
      const { kind } = judge(observation, POLICY);
      judgeMs += performance.now() - began;
      looks += 1;
      if (kind === 'healthy' && !wasHealthy) {
        wasHealthy = true;
        healthy.push(w * fineMs);
      }
      if (kind !== 'rollback') continue;
      times.push(w * fineMs - (setting.sinceMs ?? 0));
      break;
    }
  }
  const sorted = [...times].sort((a, b) => a - b);
  return {
    rollback: times.length / setting.runs,
    medianMs: median(times),
    p90Ms: sorted[Math.floor(sorted.length * 0.9)] ?? Infinity,
    healthy: healthy.length / setting.runs,
    healthyMedianMs: median(healthy),
    looks,
    judgeMs,
  };
}
