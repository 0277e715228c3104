import { ParentClosePolicy, proxyActivities, startChild } from '@temporalio/workflow';
import type { RolloutActivities } from '../activities/contract.ts';
import type { RolloutNotice } from '../domain/rollout/notices.ts';
import { PROFILES } from './activity-profiles.ts';

const patient = proxyActivities<RolloutActivities>(PROFILES.notice);

/** Tells the webhooks of one notice; outlives the rollout it speaks of. Sample input: the notice itself. */
export async function sendNotice(notice: RolloutNotice): Promise<void> {
  await patient.notify(notice);
}

/** Hands the notice to a workflow of its own: nobody waits for a webhook that does not answer. */
export async function sendAway(notice: RolloutNotice): Promise<void> {
  await startChild(sendNotice, {
    workflowId: `notice/${notice.id}`,
    args: [notice],
    parentClosePolicy: ParentClosePolicy.ABANDON,
    staticSummary: notice.message.slice(0, 200),
  }).catch(() => undefined);
}
