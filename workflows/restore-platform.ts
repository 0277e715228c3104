import {
  ActivityCancellationType,
  CancellationScope,
  CancelledFailure,
  defineQuery,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { RestoreActivities, RestoreOutlook } from '../activities/restore-contract.ts';
import type { Problem } from '../domain/errors.ts';
import { PROFILES } from './activity-profiles.ts';
import { explained, failure } from './failures.ts';
import {
  RESTORE_CONFIRMATION,
  type RestorePlatformInput,
  type RestorePlatformResult,
  type RestoreStatus,
} from './restore-messages.ts';

const quick = proxyActivities<RestoreActivities>(PROFILES.quick);
const insistent = proxyActivities<RestoreActivities>(PROFILES.insistent);
/** Goes on as long as it beats: a database of any size may come back. */
const long = proxyActivities<RestoreActivities>({
  startToCloseTimeout: '24h',
  heartbeatTimeout: '30s',
  // Nothing may still be staging when what is staged is taken back.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m', maximumAttempts: 5 },
  priority: { priorityKey: 1 },
});
const status = defineQuery<RestoreStatus>('status');

/**
 * Brings the running platform back from a backup. The API serves on from memory; control writes are refused from the
 * start to the end. Until the restored database has passed every check, nothing in use is touched.
 * Sample input: `{"to":"latest","confirm":"replace this platform"}`.
 */
export async function restorePlatform(raw: RestorePlatformInput): Promise<RestorePlatformResult> {
  const input = requireOrder(raw);
  let now: RestoreStatus = { stage: 'preview', message: 'looking at the target' };
  setHandler(status, () => now, { description: 'Where the restore stands. Takes no argument.' });
  const { workflowId, runId } = workflowInfo();
  const { requestedBy: by, target, to } = input;
  let outlook: RestoreOutlook;
  let fenced: { readonly epoch: number };
  try {
    outlook = await quick.previewRestore({ target, to });
    now = { stage: 'fence', message: `set ${outlook.setId}, log up to ${outlook.newestAt}` };
    // A cancellation must not leave a fence that nobody knows the epoch of: it is heard afterwards, where it is lifted.
    fenced = await CancellationScope.nonCancellable(() =>
      quick.fencePlatform({ by, reason: `being restored to ${to}` }),
    );
  } catch (error) {
    throw explained(error);
  }
  try {
    now = { stage: 'restore', message: `restoring set ${outlook.setId} beside what is in use` };
    const report = await long.stageRestore({ target, to, by, epochAbove: fenced.epoch, restoreId: runId });
    // It may have been over when it was to be cancelled.
    if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('The restore was cancelled');
    now = { stage: 'takeOver', message: 'the restored database takes its place' };
    const { setId, epoch } = report;
    const reconciled = await CancellationScope.nonCancellable(() =>
      long.takeOver({ epoch: epoch.epoch, setId, target, keep: workflowId }),
    );
    now = { stage: 'done', message: `restored to ${report.reachedLsn} in epoch ${epoch.epoch}` };
    return { report, reconciled };
  } catch (error) {
    if (now.stage === 'restore') {
      await CancellationScope.nonCancellable(() =>
        insistent.liftFence({ epoch: fenced.epoch, by, reason: 'the restore did not happen' }),
      );
    }
    throw explained(error);
  }
}

function requireOrder(raw: RestorePlatformInput | undefined): Required<RestorePlatformInput> {
  const { to = 'latest', target = null, confirm = '', requestedBy = 'temporal' } = raw ?? {};
  const problems: Problem[] = [];
  if (typeof to !== 'string')
    problems.push({ field: 'to', message: 'must be a text', allowed: ['latest', 'a moment', 'point:NAME'] });
  if (confirm !== RESTORE_CONFIRMATION) {
    const message = 'the database in use is replaced: say so';
    problems.push({ field: 'confirm', message, allowed: [RESTORE_CONFIRMATION] });
  }
  if (problems.length > 0)
    throw failure(
      'invalidInput',
      `The platform is not restored: ${problems.map((p) => `${p.field}: ${p.message} (allowed: ${(p.allowed ?? []).join(', ')})`).join('; ')}`,
      problems,
    );
  return { to, target, confirm, requestedBy };
}
