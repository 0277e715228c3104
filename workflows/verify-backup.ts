import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { BackupActivities } from '../activities/backup-contract.ts';
import { describeProblems } from '../domain/errors.ts';
import { PROFILES } from './activity-profiles.ts';
import { explained, failure } from './failures.ts';
import type { VerifyBackupInput, VerifyBackupResult } from './messages.ts';

const patient = proxyActivities<BackupActivities>({ ...PROFILES.heavy, startToCloseTimeout: '12h' });

/**
 * Reads every byte of one set in one target. A set that is damaged fails the workflow with what is wrong.
 * Sample input: `{"setId":"20300131T031700Z-0f3a9c1b","target":"folder"}`.
 */
export async function verifyBackup(raw: VerifyBackupInput): Promise<VerifyBackupResult> {
  // Whoever starts it by hand may give anything.
  const { setId, target }: Record<keyof VerifyBackupInput, unknown> = raw;
  if (typeof setId !== 'string' || typeof target !== 'string')
    throw failure('invalidInput', 'Name a set and a target: {"setId": "...", "target": "..."}');
  try {
    setCurrentDetails(`reading **${setId}** in ${target}`);
    const { problems, bytesRead, contentChecked } = await patient.verifyBackup({ setId, target });
    if (problems.length === 0) return { setId, target, bytesRead, contentChecked };
    throw failure('artefactCorrupt', `${setId} in ${target} is damaged: ${describeProblems(problems)}`, problems);
  } catch (error) {
    throw explained(error);
  }
}
