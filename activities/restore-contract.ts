import type { DrillReport } from '../recovery/drill/run-drill.ts';
import type { RestoreReport } from '../recovery/restore/restore-platform.ts';

/** Where from and how far back; as a person writes it. */
export interface RestoreOrder {
  /** Name of a configured target; `null`: the first one. */
  readonly target: string | null;
  /** `latest`, a moment with its zone, `point:NAME`. */
  readonly to: string;
}

export interface RestoreOutlook {
  readonly target: string;
  readonly setId: string;
  readonly timeline: number;
  /** ISO 8601. */
  readonly newestAt: string;
  readonly windows: readonly string[];
}

/** What a restore found of workflows and schedules, and what was done about it. */
export interface Reconciled {
  /** Workflow ids that were ended: they worked for the epoch before. */
  readonly terminated: readonly string[];
  /** Schedules that were made again. */
  readonly schedules: readonly string[];
  readonly notes: readonly string[];
}

export interface RestoreActivities {
  /** Changes nothing. Fails with `refused` outside of the restorable window, with `fenced` in a region that has no say. */
  previewRestore(order: RestoreOrder): Promise<RestoreOutlook>;
  /** Control writes are refused from now on; predictions go on. @returns the epoch that was fenced */
  fencePlatform(input: { readonly reason: string; readonly by: string }): Promise<{ readonly epoch: number }>;
  /** Takes the fence away after a restore that did not happen. */
  liftFence(input: { readonly epoch: number; readonly reason: string; readonly by: string }): Promise<void>;
  /** The long part: puts everything together and checks it, beside what is in use. */
  stageRestore(
    input: RestoreOrder & { readonly epochAbove: number; readonly by: string; readonly restoreId: string },
  ): Promise<RestoreReport>;
  /** Ends workflows of the epoch before, swaps the database, and waits until it answers in the new epoch. */
  takeOver(input: {
    readonly epoch: number;
    readonly setId: string;
    readonly target: string | null;
    readonly keep: string;
  }): Promise<Reconciled>;
}

export interface DrillActivities {
  runDrill(input: { readonly target: string | null; readonly drillId: string }): Promise<DrillReport>;
}
