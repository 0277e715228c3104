import { ApplicationFailure, proxyActivities, uuid4 } from '@temporalio/workflow';
import type { DrillActivities } from '../activities/restore-contract.ts';
import { explained } from './failures.ts';
import type { RecoveryDrillInput, RecoveryDrillResult } from './restore-messages.ts';

const drills = proxyActivities<DrillActivities>({
  startToCloseTimeout: '12h',
  heartbeatTimeout: '30s',
  retry: { initialInterval: '10s', backoffCoefficient: 2, maximumInterval: '5m', maximumAttempts: 5 },
  priority: { priorityKey: 5 },
});

/**
 * Restores the newest state into a throw-away server and holds it against every check of a real restore. A drill that
 * finds something wrong fails the workflow, so that its schedule and whoever watches it see it. Sample input: `{}`.
 */
export async function recoveryDrill(raw?: RecoveryDrillInput): Promise<RecoveryDrillResult> {
  try {
    const report = await drills.runDrill({ target: raw?.target ?? null, drillId: uuid4() });
    if (report.passed) return report;
    throw ApplicationFailure.create({
      type: 'artefactCorrupt',
      message: `The drill failed: ${report.failure ?? 'for no known reason'}`,
      nonRetryable: true,
      details: [report],
    });
  } catch (error) {
    throw explained(error);
  }
}
