import type { Registry } from '../db/ports.ts';
import type { ArtefactStore } from '../domain/artefacts.ts';
import type { RolloutNotice } from '../domain/rollout/notices.ts';
import type { Judge } from '../domain/verdict.ts';
import type { Jobs } from '../models/training/job.ts';

/** What the activities need of the world; the composition root fills it in. */
export interface ActivityDeps {
  readonly registry: Pick<
    Registry,
    'models' | 'versions' | 'routing' | 'rollouts' | 'records' | 'looks' | 'instances' | 'controls' | 'webhooks'
  >;
  readonly artefacts: ArtefactStore;
  readonly jobs: Jobs;
  readonly judge: Judge;
  readonly nowMs: () => number;
  /** Tells every webhook that wants to hear it; rejects when one has not. */
  readonly notify: (notice: RolloutNotice) => Promise<void>;
  readonly lightgbmLibrary: () => Promise<{ readonly path: string } | { readonly path: null; readonly reason: string }>;
  /** Folder for the work folders of trainings. */
  readonly workDir: string;
  /** Heap limit of a training process, MB. */
  readonly trainingMemoryMb: number;
  readonly codeCommit: string;
  /** @throws DomainError `fenced` where another region owns the epoch */
  readonly requireLease: () => Promise<void>;
  /** Before a rollout begins. @throws DomainError `refused` where recovery has to be proven first, and is not */
  readonly requireDrill: () => Promise<void>;
  /** Whether the workflow that a run began is still going on, in that run or in a later one that continues it. */
  readonly isRunning: (workflowId: string, firstRunId: string) => Promise<boolean>;
}
