import type { Evaluation } from '../domain/evaluation.ts';
import type { ModelDefinition } from '../domain/definition.ts';
import type { FeatureRow, Signature } from '../domain/signature.ts';
import type { ForeignBinding, GoldenRow } from '../models/manifest.ts';

/** A model that the serving bench registers as version 1 and gives all traffic. */
export interface BenchModel {
  readonly definition: ModelDefinition;
  readonly algorithm: string;
  readonly onnxPath: string;
  readonly signature: Signature;
  readonly evaluation: Evaluation;
  readonly golden: readonly GoldenRow[];
  readonly foreign?: ForeignBinding;
  /** Different ones, so that no answer can come from a cache. */
  readonly rows: readonly FeatureRow[];
}
