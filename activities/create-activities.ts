import type { Activities } from './contract.ts';
import type { ActivityDeps } from './deps.ts';
import { withFailures } from './failures.ts';
import { createRolloutActivities } from './rollout-activities.ts';
import { createTrainActivities } from './train-activities.ts';
import { createValidateActivities } from './validate-activities.ts';

/** Every activity of the platform, as a Temporal worker takes them. */
export function createActivities(deps: ActivityDeps): Activities {
  return withFailures<Activities>({
    ...createTrainActivities(deps),
    ...createValidateActivities(deps),
    ...createRolloutActivities(deps),
  });
}
