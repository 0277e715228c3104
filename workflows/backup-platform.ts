import { CancellationScope, proxyActivities, setCurrentDetails, uuid4, workflowInfo } from '@temporalio/workflow';
import type { BackupActivities, BackupRun } from '../activities/backup-contract.ts';
import { describeProblems } from '../domain/errors.ts';
import { parseBackupInput } from '../domain/recovery/backup-input.ts';
import { newSetId } from '../domain/recovery/manifest.ts';
import { PROFILES } from './activity-profiles.ts';
import { explained, failure, reasonOf, requireInput } from './failures.ts';
import type { BackupPlatformInput, BackupPlatformResult, BackupTargetResult } from './messages.ts';

/** Wrong settings are heard at once; an outage of all targets is waited for, some ten minutes. */
const opening = proxyActivities<BackupActivities>({
  ...PROFILES.heavy,
  retry: { ...PROFILES.heavy.retry, maximumAttempts: 14 },
});
/** A target that is away for hours is waited for: its files lie staged, and what arrived is not sent again. */
const patient = proxyActivities<BackupActivities>({
  ...PROFILES.heavy,
  startToCloseTimeout: '12h',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '5m', maximumAttempts: 60 },
});
const quick = proxyActivities<BackupActivities>(PROFILES.quick);

/**
 * One backup set in every target: database first, then every artefact that it refers to, the manifest last; then
 * every byte is read again, and retention lets old sets go. Targets do not wait for each other.
 * Sample input: `{}`. Fails when no target has a verified set in the end; a result names each target that has none.
 */
export async function backupPlatform(raw: BackupPlatformInput): Promise<BackupPlatformResult> {
  const { requestedBy, label } = requireInput(parseBackupInput(raw));
  const startedAtMs = workflowInfo().startTime.getTime();
  const setId = newSetId(startedAtMs, uuid4());
  const run: BackupRun = { setId, requestedBy, label, startedAt: new Date(startedAtMs).toISOString() };
  try {
    setCurrentDetails(`**${setId}**: looking at the targets`);
    const { usable, unusable } = await opening.openBackup(run);
    setCurrentDetails(`**${setId}**: copying the database`);
    const { setKind, files, storedBytes } = await patient.stageBackup.executeWithOptions({ summary: setId }, [run]);
    setCurrentDetails(`**${setId}**: ${files} files (${setKind} copy) to ${usable.join(', ')}`);
    const arrived = await Promise.all(usable.map((target) => backUpTo(run, target)));
    const missed = unusable.map(({ target, problem }) => lost(target, problem));
    const targets = [...arrived, ...missed];
    setCurrentDetails(targets.map(describe).join('\n'));
    if (targets.some((target) => target.verified)) return { setId, setKind, storedBytes, targets };
    throw failure('unavailable', `No target has a verified set: ${targets.map(describe).join('; ')}`);
  } catch (error) {
    throw explained(error);
  } finally {
    await CancellationScope.nonCancellable(() => quick.closeBackup(run));
  }
}

/** A target that fails is a line of the result: the others have their set. */
async function backUpTo(run: BackupRun, target: string): Promise<BackupTargetResult> {
  const { setId } = run;
  try {
    const summary = `${setId} to ${target}`;
    const { artefacts, uploadedArtefacts } = await patient.uploadBackup.executeWithOptions({ summary }, [
      { ...run, target },
    ]);
    const { problems } = await patient.verifyBackup.executeWithOptions({ summary }, [{ setId, target }]);
    if (problems.length > 0) return { ...lost(target, describeProblems(problems)), stored: true };
    // Only now: a new set that cannot be read must not push an old one out.
    const { removedSets, notes } = await patient.pruneBackups.executeWithOptions({ summary: target }, [{ target }]);
    const problem = notes.length === 0 ? null : notes.join('; ');
    return { target, stored: true, verified: true, artefacts, uploadedArtefacts, removedSets, problem };
  } catch (error) {
    return lost(target, reasonOf(error));
  }
}

function lost(target: string, problem: string): BackupTargetResult {
  return { target, stored: false, verified: false, artefacts: 0, uploadedArtefacts: 0, removedSets: [], problem };
}

function describe({ target, verified, stored, problem }: BackupTargetResult): string {
  const state = verified ? 'verified' : stored ? 'stored, but damaged' : 'no set';
  return `- ${target}: ${state}${problem === null ? '' : ` (${problem})`}`;
}
