import type { ModelDefinition } from '../../domain/definition.ts';
import type { RolloutPlan } from '../../domain/rollout/plan.ts';

/** Of a model whose versions are put into the registry as they are: what its rollouts do is said at their start. */
export function liveDefinition(name: string): ModelDefinition {
  const policy = 'reject';
  const canary: RolloutPlan = {
    strategy: 'canary',
    steps: [{ weightPercent: 100, bakeTimeMs: 0 }],
    limits: { errorRateMax: 0.001, p95MsMax: 120 },
    minRequests: 100,
    observeEveryMs: 1_000,
    keepWarmMs: 1_000,
  };
  return {
    name,
    description: 'of the bench',
    data: { source: '/none.csv', format: 'csv', delimiter: ',' },
    entity: 'id',
    target: { column: 'target', positive: 'yes' },
    features: {},
    exclude: [],
    protected: [],
    policies: { missing: policy, unknown: policy, outOfRange: 'flag' },
    risk: { medium: 0.3, high: 0.7 },
    training: { algorithms: ['spline-logistic'], seed: 1, holdoutPercent: 20, folds: 5, threshold: 'f1' },
    gates: {
      quality: { auc: { min: 0.7 } },
      champion: { metric: 'logLoss', tolerance: 0.01 },
      latencyP95MsMax: 5,
      throughputRowsPerSecondMin: 1_000,
    },
    rollout: { strategy: 'canary', canary, blueGreen: { ...canary, strategy: 'blue-green' } },
    retraining: { schedule: 'none', accuracyLossMax: 0.05, minSamples: 100, daysBack: 30 },
  };
}
