import type { WorkflowExecutionDescription } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';

/** The first detail of the first heartbeating activity: what the running step last reported, whatever it is. */
export function lastHeartbeat<T extends object>(run: WorkflowExecutionDescription): Partial<T> | null {
  for (const activity of run.raw.pendingActivities ?? []) {
    const payload = activity.heartbeatDetails?.payloads?.[0];
    if (payload === undefined) continue;
    const detail = defaultPayloadConverter.fromPayload<Partial<T> | null>(payload);
    if (detail !== null) return detail;
  }
  return null;
}
