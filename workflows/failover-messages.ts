/** The public contract of failovers. Imports nothing that runs. */
import type { ClaimedRegion } from '../activities/region-contract.ts';
import type { RegionPromotion, RegionProof } from '../recovery/region/fail-over.ts';

export const FAILOVER_WORKFLOW = 'failoverRegion';
/** One failover of a platform at a time, whoever starts it. */
export const FAILOVER_WORKFLOW_ID = 'failover/region';
/** Of the process that a standby runs beside the rest of its platform. */
export function regionTaskQueue(taskQueue: string): string {
  return `${taskQueue}-region`;
}

export interface FailoverRegionInput {
  /** Must name the region that takes over: that of this platform. */
  readonly confirm?: string;
  readonly reason?: string;
  readonly requestedBy?: string;
}

export interface FailoverRegionResult {
  readonly region: string;
  readonly previous: string;
  readonly epoch: number;
  /** The region before stopped in order. */
  readonly released: boolean;
  readonly promotion: RegionPromotion;
  readonly proof: RegionProof;
  /** What the hook did; `null`: none is declared, or it failed. */
  readonly traffic: string | null;
  /** Why the hook did not move the traffic: the region serves all the same, and moving it is a person's. */
  readonly trafficProblem: string | null;
  readonly claimed: ClaimedRegion;
  readonly tookMs: number;
}

/** Answer of the query `status`. */
export interface FailoverStatus {
  readonly stage: 'detect' | 'claim' | 'promote' | 'prove' | 'traffic' | 'done';
  readonly message: string;
}
