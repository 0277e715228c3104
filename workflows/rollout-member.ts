import { getExternalWorkflowHandle } from '@temporalio/workflow';
import { blockers } from '../domain/rollout/blockers.ts';
import type { RolloutState } from '../domain/rollout/events.ts';
import type { RolloutInput } from '../domain/workflow-input.ts';
import { GROUP_READY_SIGNAL, type GroupMemberReady } from './messages.ts';

/** Tells the group, once per step, that the rollout waits for nothing else than the others; of no group: nothing. */
export function createGroupMember({ group, model }: Pick<RolloutInput, 'group' | 'model'>) {
  let told = 0;
  return async (state: RolloutState, nowMs: number): Promise<void> => {
    if (group === undefined || (state.phase !== 'running' && state.phase !== 'keepWarm')) return;
    const waitsFor = blockers(state, nowMs);
    const [only] = waitsFor;
    if (waitsFor.length !== 1 || only?.kind !== 'group' || only.step <= told) return;
    const ready: GroupMemberReady = { model, step: only.step, last: state.phase === 'keepWarm' };
    // A group that is gone has cancelled its members: nobody has to be told any more.
    await getExternalWorkflowHandle(group)
      .signal(GROUP_READY_SIGNAL, ready)
      .then(() => (told = only.step))
      .catch(() => undefined);
  };
}
