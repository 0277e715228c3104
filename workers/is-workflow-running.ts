import { WorkflowNotFoundError } from '@temporalio/client';
import type { TemporalClient } from '../adapters/temporal-client.ts';

/** Whether the workflow that a run began is still going on, in that run or in one that continues it. */
export function isWorkflowRunning(temporal: TemporalClient, workflowId: string, firstRunId: string): Promise<boolean> {
  return temporal.call(async (client) => {
    const handle = client.workflow.getHandle(workflowId, undefined, { firstExecutionRunId: firstRunId });
    try {
      const { status, raw } = await handle.describe();
      const first = raw.workflowExecutionInfo?.firstRunId;
      return status.name === 'RUNNING' && (first == null || first === '' || first === firstRunId);
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  });
}
