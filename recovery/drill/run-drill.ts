import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createFolderArtefactStore } from '../../adapters/folder-artefact-store.ts';
import type { RecoveryStore } from '../../db/recovery-store.ts';
import { DomainError } from '../../domain/errors.ts';
import { postgresBase } from '../../infra/embedded/postgres-cluster.ts';
import {
  passableFolder,
  restoreAndCheck,
  sweepScratch,
  type RestoredState,
  type RestoreProgress,
} from '../restore/restore-and-check.ts';
import type { RestoreTarget } from '../restore/restore-target.ts';

const FOLDER = 'drills';

export interface DrillOptions {
  readonly target: RestoreTarget;
  readonly home: string;
  readonly record: Pick<RecoveryStore, 'startDrill' | 'finishDrill' | 'sweepDrills'>;
  /** The same id again, after a kill, starts the same drill over. */
  readonly drillId?: string;
  readonly onProgress?: (progress: RestoreProgress) => void;
  readonly signal?: AbortSignal;
}

export interface DrillReport {
  readonly drillId: string;
  readonly passed: boolean;
  readonly setId: string | null;
  /** From the order until everything was restored and checked. */
  readonly restoreMs: number;
  /** Age of the newest log that came back, when the drill began; `null` after a failure. */
  readonly lossMs: number | null;
  /** `null` when it passed. */
  readonly failure: string | null;
  readonly state: RestoredState | null;
}

/**
 * Restores the newest state into a throw-away server in a folder of its own, holds it against the same checks as a
 * real restore, and writes down how long it took and what would have been lost. A drill that fails is a result, not
 * an error. What a killed one left is removed first.
 */
export async function runDrill(options: DrillOptions): Promise<DrillReport> {
  const { record, target, home } = options;
  const drillId = options.drillId ?? randomUUID();
  await sweepDrills(home);
  await record.sweepDrills(drillId);
  await record.startDrill({ id: drillId, target: target.address });
  const folder = passableFolder(postgresBase(home).base, FOLDER, drillId);
  const startedAtMs = Date.now();
  try {
    const report = await restoreOnce(options, folder, { drillId, startedAtMs });
    const { setId, restoreMs, lossMs } = report;
    const details = { ...report.state, failure: report.failure };
    await record.finishDrill({
      id: drillId,
      setId,
      restoreMs,
      lossMs,
      outcome: report.passed ? 'passed' : 'failed',
      details,
    });
    return report;
  } finally {
    await sweepScratch(join(folder, 'scratch'), folder);
  }
}

async function restoreOnce(
  { target, onProgress, signal }: DrillOptions,
  folder: string,
  { drillId, startedAtMs }: { drillId: string; startedAtMs: number },
): Promise<DrillReport> {
  mkdirSync(join(folder, 'artefacts'), { recursive: true });
  const place = {
    dataDir: join(folder, 'data'),
    scratchDir: passableFolder(folder, 'scratch'),
    artefacts: createFolderArtefactStore(join(folder, 'artefacts')),
  };
  try {
    const request = { target, wish: { kind: 'latest' } as const };
    const { database, state } = await restoreAndCheck(
      {
        ...request,
        ...(onProgress === undefined ? {} : { onProgress }),
        ...(signal === undefined ? {} : { signal }),
      },
      place,
    );
    const restoreMs = Date.now() - startedAtMs;
    await database.stop();
    const lossMs = Math.max(0, startedAtMs - Date.parse(state.newestShippedAt));
    return { drillId, passed: true, setId: state.setId, restoreMs, lossMs, failure: null, state };
  } catch (error) {
    signal?.throwIfAborted();
    // Neither is about the backup: it is tried again.
    if (error instanceof DomainError && error.code === 'unavailable') throw error;
    const failure = error instanceof Error ? error.message : String(error);
    const restoreMs = Date.now() - startedAtMs;
    return { drillId, passed: false, setId: null, restoreMs, lossMs: null, failure, state: null };
  }
}

/** Ends the servers and removes the folders of drills that were killed. One drill runs at a time on a home. */
async function sweepDrills(home: string): Promise<number> {
  const folder = join(postgresBase(home).base, FOLDER);
  const left = existsSync(folder) ? readdirSync(folder) : [];
  for (const name of left) await sweepScratch(join(folder, name, 'scratch'), join(folder, name));
  return left.length;
}
