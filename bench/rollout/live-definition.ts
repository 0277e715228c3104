import type { ModelDefinition } from '../../domain/definition.ts';
import type { RolloutPlan } from '../../domain/rollout/plan.ts';
import { modelDefinition } from '../../test/support/model-definition.ts';

/** Of a model whose versions are put into the registry as they are: what its rollouts do is said at their start. */
export function liveDefinition(name: string): ModelDefinition {
  const canary: RolloutPlan = {
    strategy: 'canary',
    steps: [{ weightPercent: 100, bakeTimeMs: 0 }],
    limits: { errorRateMax: 0.001, p95MsMax: 120 },
    minRequests: 100,
    observeEveryMs: 1_000,
    keepWarmMs: 1_000,
  };
  return modelDefinition(name, canary, {
    description: 'of the bench',
    data: { source: '/none.csv', format: 'csv', delimiter: ',' },
    target: { column: 'target', positive: 'yes' },
  });
}
