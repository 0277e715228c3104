/** The public contract of restores and drills. Imports nothing that runs. */
import type { Reconciled } from '../activities/restore-contract.ts';
import type { DrillReport } from '../recovery/drill/run-drill.ts';
import type { RestoreReport } from '../recovery/restore/restore-platform.ts';

export const RESTORE_WORKFLOWS = { restore: 'restorePlatform', drill: 'recoveryDrill' } as const;
/** One restore at a time, as the command line starts it. */
export const RESTORE_WORKFLOW_ID = 'restore/platform';
/** One drill at a time, whoever starts it. */
export const DRILL_WORKFLOW_ID = 'drill/platform';
export const DRILL_SCHEDULE_ID = 'recovery-drill';
/** What a person types before a platform in use is replaced. */
export const RESTORE_CONFIRMATION = 'replace this platform';

export interface RestorePlatformInput {
  /** `latest` (default), a moment with its zone, or `point:NAME`. */
  readonly to?: string;
  /** Name of a configured target; default the first. */
  readonly target?: string | null;
  /** Must be `replace this platform`. */
  readonly confirm?: string;
  readonly requestedBy?: string;
}

export interface RestorePlatformResult {
  readonly report: RestoreReport;
  readonly reconciled: Reconciled;
}

/** Answer of the query `status`. */
export interface RestoreStatus {
  readonly stage: 'preview' | 'fence' | 'restore' | 'takeOver' | 'done';
  readonly message: string;
}

export interface RecoveryDrillInput {
  readonly target?: string | null;
}

export type RecoveryDrillResult = DrillReport;
