import type { ModelDefinition } from '../../domain/definition.ts';
import type { FeatureSpec } from '../../domain/signature.ts';
import type { DataTable } from './dataset.ts';

export interface InferredFeatures {
  readonly features: readonly FeatureSpec[];
  readonly notes: readonly string[];
}

export function inferFeatures(table: DataTable, definition: ModelDefinition): InferredFeatures {
  throw new Error(`not written yet: ${definition.name} ${table.rows}`);
}
