import type { RegionPromotion, RegionProof } from '../recovery/region/fail-over.ts';

export interface RegionOutlook {
  /** Of this platform. */
  readonly region: string;
  /** The region that owns the newest epoch; `null`: none. */
  readonly owner: string | null;
  readonly epoch: number;
  /** Its lease has run out. */
  readonly ownerSilent: boolean;
  /** Seconds since the standby had everything; `null`: not yet. */
  readonly lagSeconds: number | null;
}

export interface ClaimedRegion {
  readonly epoch: number;
  readonly region: string;
  /** Owner of the epoch before; empty: none. */
  readonly previous: string;
  /** It stopped in order and said where its log ended. */
  readonly released: boolean;
  readonly releasedLsn: string | null;
}

export interface FailoverActivities {
  /** Changes nothing. */
  lookAtRegions(): Promise<RegionOutlook>;
  /** Takes the epoch, and waits until nobody else takes control writes. */
  claimRegion(input: { readonly reason: string }): Promise<ClaimedRegion>;
  promoteRegion(input: ClaimedRegion & { readonly by: string }): Promise<RegionPromotion>;
  /** Waits for this region's API, and holds its answers against those that the versions were made with. */
  proveRegion(input: ClaimedRegion): Promise<RegionProof>;
  /** @returns what was done; `null`: no hook is declared */
  moveTraffic(input: {
    readonly epoch: number;
    readonly previous: string;
    readonly api: string;
  }): Promise<string | null>;
}
