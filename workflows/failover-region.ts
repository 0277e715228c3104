import { defineQuery, isCancellation, log, proxyActivities, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { FailoverActivities } from '../activities/region-contract.ts';
import type { Problem } from '../domain/errors.ts';
import { codeOf, explained, failure, reasonOf } from './failures.ts';
import type { FailoverRegionInput, FailoverRegionResult, FailoverStatus } from './failover-messages.ts';

/** Each step takes up what a killed worker left; the target and the own database are waited for. */
const steps = proxyActivities<FailoverActivities>({
  startToCloseTimeout: '24h',
  heartbeatTimeout: '10s',
  retry: { initialInterval: '500ms', backoffCoefficient: 1.5, maximumInterval: '5s', maximumAttempts: 240 },
  priority: { priorityKey: 1 },
});
const quick = proxyActivities<FailoverActivities>({
  startToCloseTimeout: '15s',
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '5s', maximumAttempts: 12 },
  priority: { priorityKey: 1 },
});
/** A hook that fails for minutes is a person's: the region serves, and the result of the workflow says so. */
const hook = proxyActivities<FailoverActivities>({
  startToCloseTimeout: '1m',
  heartbeatTimeout: '10s',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '15s', maximumAttempts: 20 },
});
const status = defineQuery<FailoverStatus>('status');

/**
 * This region takes over: it claims the next epoch, waits until nobody else takes control writes, promotes its standby,
 * proves that its API answers as before, and moves the traffic. Fails before anything is touched when `confirm` does not
 * name the region. Sample input: `{"confirm":"west"}`.
 */
export async function failoverRegion(raw: FailoverRegionInput | undefined): Promise<FailoverRegionResult> {
  let now: FailoverStatus = { stage: 'detect', message: 'looking at the regions' };
  setHandler(status, () => now, { description: 'Where the failover stands. Takes no argument.' });
  const at = (stage: FailoverStatus['stage'], message: string): void => {
    now = { stage, message };
    setCurrentDetails(`**${stage}**: ${message}`);
  };
  const startedAtMs = Date.now();
  try {
    const outlook = await quick.lookAtRegions();
    requireOrder(raw, outlook.region);
    const by = raw?.requestedBy ?? 'temporal';
    const owner = outlook.owner ?? 'nobody';
    at('claim', `${owner} owns epoch ${outlook.epoch}${outlook.ownerSilent ? ' and is silent' : ''}`);
    const claimed = await steps.claimRegion({ reason: raw?.reason ?? `ordered by ${by}` });
    const { epoch, previous, region, released } = claimed;
    at(
      'promote',
      `epoch ${epoch} is this region's; ${released ? `${previous} stopped in order` : 'the lease before ran out'}`,
    );
    const promotion = await steps.promoteRegion({ ...claimed, by });
    at('prove', `replayed to ${promotion.reachedLsn}; waiting for the API`);
    const proof = await steps.proveRegion(claimed);
    at('traffic', `${proof.models.length} models answer as before at ${proof.api}`);
    const { traffic, trafficProblem } = await moveTraffic({ epoch, previous, api: proof.api });
    const tookMs = Date.now() - startedAtMs;
    const told = trafficProblem === null ? (traffic ?? 'no hook is declared') : `NOT MOVED: ${trafficProblem}`;
    at('done', `region ${region} serves in epoch ${epoch} after ${tookMs} ms; traffic: ${told}`);
    return { region, previous, epoch, released, promotion, proof, traffic, trafficProblem, claimed, tookMs };
  } catch (error) {
    throw explained(error);
  }
}

/** The region serves already: a hook that goes on failing is reported and undoes nothing. */
async function moveTraffic(
  event: Parameters<FailoverActivities['moveTraffic']>[0],
): Promise<Pick<FailoverRegionResult, 'traffic' | 'trafficProblem'>> {
  try {
    return { traffic: await hook.moveTraffic(event), trafficProblem: null };
  } catch (error) {
    // Taken over meanwhile: the traffic is another region's to move.
    if (isCancellation(error) || codeOf(error) === 'conflict') throw error;
    const trafficProblem = reasonOf(error);
    log.error('the region serves, and its traffic was not moved', { epoch: event.epoch, problem: trafficProblem });
    return { traffic: null, trafficProblem };
  }
}

function requireOrder(raw: FailoverRegionInput | undefined, region: string): void {
  const { confirm, reason = '', requestedBy = '' } = raw ?? {};
  const problems: Problem[] = [];
  if (confirm !== region)
    problems.push({ field: 'confirm', message: 'must name the region that takes over', allowed: [region] });
  for (const [field, value] of Object.entries({ reason, requestedBy }))
    if (typeof value !== 'string' || value.length > 1_000) problems.push({ field, message: 'must be a short text' });
  if (problems.length === 0) return;
  const told = problems.map((p) => `${p.field}: ${p.message} (${(p.allowed ?? []).join(', ')})`).join('; ');
  throw failure('invalidInput', `Nothing fails over: ${told}`, problems);
}
