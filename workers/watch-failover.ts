import { WorkflowNotFoundError } from '@temporalio/client';
import type { RegionStatus } from '../adapters/region-status.ts';
import type { TemporalClient } from '../adapters/temporal-client.ts';
import { FAILOVER_WORKFLOW_ID } from '../workflows/failover-messages.ts';

const LOOK_EVERY_MS = 10_000;

/** The newest failover to this region that has ended, looked up until the signal; what is known stays when Temporal is away. */
export function watchFailover(
  temporal: Pick<TemporalClient, 'call'>,
  stopped: AbortSignal,
): () => RegionStatus['failover'] {
  let newest: RegionStatus['failover'] = null;
  const look = async (): Promise<void> => {
    const { status, startTime, closeTime } = await temporal.call((client) =>
      client.workflow.getHandle(FAILOVER_WORKFLOW_ID).describe(),
    );
    if (closeTime === undefined) return;
    const tookMs = closeTime.getTime() - startTime.getTime();
    newest = { finishedAtMs: closeTime.getTime(), tookMs, completed: status.name === 'COMPLETED' };
  };
  const lookSafely = (): void =>
    void look().catch((error: unknown) => {
      // Nothing failed over, or its history was kept long enough.
      if (error instanceof WorkflowNotFoundError) newest = null;
    });
  lookSafely();
  const timer = setInterval(lookSafely, LOOK_EVERY_MS);
  timer.unref();
  stopped.addEventListener('abort', () => clearInterval(timer));
  return () => newest;
}
