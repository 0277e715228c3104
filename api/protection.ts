import type { ProtectionMetrics } from '../adapters/protection-metrics.ts';
import { createChargeRows } from './limits/charge-rows.ts';
import type { ChargeRows } from './limits/charge-rows.ts';
import { createLocalLimiter } from './limits/create-local-limiter.ts';
import type { RateLimiter } from './limits/rate-limiter.ts';
import { createAdmission } from './overload/admission.ts';
import type { Admission } from './overload/admission.ts';

/** What stands before every prediction, whichever way it comes in. One per process: the routes and the hot path share it. */
export interface Protection {
  readonly charge: ChargeRows;
  readonly admission: Admission;
}

export interface ProtectionDeps {
  /** Default: buckets in this process alone. */
  readonly limiter?: RateLimiter;
  readonly metrics: ProtectionMetrics;
  /** Epoch ms. */
  readonly now: () => number;
}

export function createProtection({ limiter, metrics, now }: ProtectionDeps): Protection {
  const admission = createAdmission();
  metrics.watchAdmission(() => admission.status());
  const charge = createChargeRows({
    limiter: limiter ?? createLocalLimiter(() => performance.now()),
    metrics,
    now,
  });
  return { charge, admission };
}
