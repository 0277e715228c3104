import type { FeatureType, ValuePolicy } from './signature.ts';
import type { RolloutPlan, Strategy } from './rollout/plan.ts';
import type { CachePolicy, Fallback } from './serving-policy.ts';

/** A model definition: the file a person writes (`model.yaml`), after its schema filled in the defaults. */
export interface ModelDefinition {
  readonly name: string;
  readonly description: string;
  /** `null`: the model's versions are imported, and none can be trained here. */
  readonly data: DataSource | null;
  /** Column that identifies the entity (customer, device); never a feature. `null` when the data has none. */
  readonly entity: string | null;
  readonly target: { readonly column: string; readonly positive: string };
  /** Overrides by column; what is not said is inferred from the data. */
  readonly features: Readonly<Record<string, FeatureOverride>>;
  /** Columns that are not used as features. */
  readonly exclude: readonly string[];
  /** Protected attributes: reported on in gates; must be columns of the data. */
  readonly protected: readonly string[];
  readonly policies: { readonly missing: ValuePolicy; readonly unknown: ValuePolicy; readonly outOfRange: ValuePolicy };
  readonly risk: { readonly medium: number; readonly high: number };
  readonly training: TrainingPolicy;
  readonly gates: GatePolicy;
  readonly rollout: RolloutPolicy;
  readonly retraining: RetrainingPolicy;
  /** What is answered when the champion fails. Absent: status 503. */
  readonly fallback?: Fallback;
  /** Absent: every row is asked of the model. */
  readonly cache?: CachePolicy;
}

export interface DataSource {
  /** Absolute path once loaded; relative paths in the file are relative to the file. */
  readonly source: string;
  readonly format: 'csv' | 'parquet';
  /** CSV only. */
  readonly delimiter: string;
}

/** A definition with data: what a `model.yaml` is, and all that training takes. */
export type TrainableDefinition = ModelDefinition & { readonly data: DataSource };

export const isTrainable = (definition: ModelDefinition): definition is TrainableDefinition => definition.data !== null;

export interface FeatureOverride {
  readonly type?: FeatureType;
  readonly min?: number;
  readonly max?: number;
  readonly missing?: ValuePolicy;
  readonly unknown?: ValuePolicy;
  readonly outOfRange?: ValuePolicy;
}

export const ALGORITHMS = ['spline-logistic', 'gradient-boosting'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

export interface TrainingPolicy {
  readonly algorithms: readonly Algorithm[];
  readonly seed: number;
  /** Share of rows no training step sees, for the evaluation. */
  readonly holdoutPercent: number;
  /** Folds of the cross-validation on the rest. */
  readonly folds: number;
  /** How the decision threshold is chosen on out-of-fold predictions, or a fixed number. */
  readonly threshold: 'accuracy' | 'f1' | number;
}

/** Metrics of an evaluation that a gate may bound. Units: shares 0..1, log loss in nats. */
export const QUALITY_METRICS = ['auc', 'prAuc', 'logLoss', 'accuracy', 'brier', 'ece'] as const;
export type QualityMetric = (typeof QUALITY_METRICS)[number];

export interface GatePolicy {
  /** Bounds by metric, inclusive. */
  readonly quality: Readonly<Partial<Record<QualityMetric, { readonly min?: number; readonly max?: number }>>>;
  /** The candidate may be worse than the champion on the same held-out data by at most `tolerance`. */
  readonly champion: { readonly metric: QualityMetric; readonly tolerance: number };
  /** Measured in a process of its own. */
  readonly latencyP95MsMax: number;
  readonly throughputRowsPerSecondMin: number;
}

export interface RolloutPolicy {
  /** Plan used when the start of a rollout names none. */
  readonly strategy: Strategy;
  readonly canary: RolloutPlan;
  readonly blueGreen: RolloutPlan;
  // Absent in definitions from before these strategies: `basePlan` knows what they run by.
  readonly launchRamp?: RolloutPlan;
  readonly shadow?: RolloutPlan;
  readonly ab?: RolloutPlan;
}

export interface RetrainingPolicy {
  /** `none` or a cron expression in UTC. Read by the retraining schedules. */
  readonly schedule: string;
  readonly accuracyLossMax: number;
  readonly minSamples: number;
  readonly daysBack: number;
}
