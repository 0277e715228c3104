import type { ModelDefinition } from '../../domain/definition.ts';
import type { RolloutPlan } from '../../domain/rollout/plan.ts';

/** A complete definition of a model that is not trained; `change` replaces whole parts of it. */
export function modelDefinition(
  name: string,
  canary: RolloutPlan,
  change: Partial<ModelDefinition> = {},
): ModelDefinition {
  const policy = 'reject';
  return {
    name,
    description: 'of a test',
    data: { source: '/data/rows.csv', format: 'csv', delimiter: ',' },
    entity: 'id',
    target: { column: 'outcome', positive: 'yes' },
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
    ...change,
  };
}
