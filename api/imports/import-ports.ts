import type { Registry, VersionRow } from '../../db/ports.ts';
import type { ArtefactStore } from '../../domain/artefacts.ts';
import type { GateResult } from '../../domain/evaluation.ts';
import type { ExaminedModel } from '../../models/doctor/examination.ts';
import type { Examine } from '../../models/doctor/examine.ts';
import type { Finding } from '../../models/doctor/finding.ts';
import type { Jobs } from '../../models/training/job.ts';
import type { Log } from '../log.ts';
import type { Upload } from './receive-upload.ts';

export interface ImportDeps {
  readonly registry: Pick<Registry, 'models' | 'versions' | 'audit'>;
  readonly artefacts: ArtefactStore;
  readonly examine: Examine;
  readonly jobs: Pick<Jobs, 'evaluate'>;
  /** Of the platform, for the lineage. */
  readonly codeCommit: () => string;
  readonly log: Log;
}

export interface ImportRequest {
  readonly model: string;
  readonly upload: Upload;
  readonly actor: string;
  /** The caller's name for this import: the same again is the same version. `null`: its content is its name. */
  readonly idempotencyKey: string | null;
  /** Fires when the caller has gone. */
  readonly signal: AbortSignal;
}

export interface ImportedVersion {
  readonly row: VersionRow;
  /** False: an earlier import of the same had made it. */
  readonly created: boolean;
  readonly findings: readonly Finding[];
  readonly examined: ExaminedModel;
  readonly gates: readonly GateResult[];
}
