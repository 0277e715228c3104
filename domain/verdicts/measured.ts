import type { Arm, Evidence } from '../verdict.ts';
import type { MetricRule } from '../rollout/plan.ts';
import { eValueOf } from '../statistics/log-space.ts';

/** What the metrics of one look share. */
export interface Scales {
  /** Of the metrics that may roll back: `m / alpha`, because any of them may. */
  readonly threshold: number;
  /** Health must be shown by all, so nothing is divided: `1 / alpha`. */
  readonly healthThreshold: number;
}

export interface Logs {
  readonly against: number;
  readonly health: number;
}

interface Found {
  readonly metric: Evidence['metric'];
  readonly event?: string;
  readonly action: MetricRule['action'];
  readonly sizes: Readonly<Partial<Record<Arm, number>>>;
  readonly observed: number;
  readonly baseline?: number;
  readonly limit: number;
  readonly logs: Logs;
  readonly sentence: string;
  /** False: whatever the evidence, it is not enough alone (a business metric's loss is smaller than the allowed one). */
  readonly mayBreach?: boolean;
  /** True: within its limit for another reason than its own evidence. */
  readonly otherwiseHealthy?: boolean;
}

/** Evidence of one metric, with its status. */
export function measured(found: Found, scales: Scales): Evidence {
  const { metric, event, action, sizes, observed, baseline, limit, logs, sentence } = found;
  const threshold = action === 'watch' ? scales.healthThreshold : scales.threshold;
  const breached = logs.against >= Math.log(threshold) && found.mayBreach !== false;
  const healthy = logs.health >= Math.log(scales.healthThreshold) || found.otherwiseHealthy === true;
  return {
    metric,
    ...(event === undefined ? {} : { event }),
    sizes,
    observed,
    ...(baseline === undefined ? {} : { baseline }),
    limit,
    eValue: eValueOf(logs.against),
    threshold,
    healthEValue: eValueOf(logs.health),
    healthThreshold: scales.healthThreshold,
    status: breached ? 'breached' : healthy ? 'healthy' : 'open',
    action,
    sentence,
  };
}
