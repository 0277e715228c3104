/** What `backupPlatform` asks for. Files stay on the worker's disk and in the targets: here travel their facts. */
import type { Problem } from '../domain/errors.ts';
import type { SetKind } from '../domain/recovery/manifest.ts';

export interface BackupRun {
  readonly setId: string;
  readonly requestedBy: string;
  readonly label: string | null;
  /** ISO 8601. */
  readonly startedAt: string;
}

export interface UsableTargets {
  readonly usable: readonly string[];
  readonly unusable: readonly { readonly target: string; readonly problem: string }[];
}

export interface StagedBackup {
  /** `logical`: the server allows no replication connection. */
  readonly setKind: SetKind;
  readonly files: number;
  readonly storedBytes: number;
}

export interface VerifiedSet {
  readonly problems: readonly Problem[];
  readonly bytesRead: number;
  readonly contentChecked: boolean;
}

export interface BackupActivities {
  /** Writes, reads and removes one object in each target. Fails when none can be used, or the disk has no room. */
  openBackup(run: BackupRun): Promise<UsableTargets>;
  /** Database, definitions, desired state and logs into the staging folder; what is there already is not taken again. */
  stageBackup(run: BackupRun): Promise<StagedBackup>;
  /** Artefacts the target lacks, the set's files, and last its manifest. */
  uploadBackup(
    input: BackupRun & { readonly target: string },
  ): Promise<{ readonly artefacts: number; readonly uploadedArtefacts: number }>;
  verifyBackup(input: { readonly setId: string; readonly target: string }): Promise<VerifiedSet>;
  pruneBackups(input: { readonly target: string }): Promise<{
    readonly removedSets: readonly string[];
    readonly notes: readonly string[];
  }>;
  /** Clears the staging folder. */
  closeBackup(run: BackupRun): Promise<void>;
}
