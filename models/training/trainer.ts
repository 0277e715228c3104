import type { Algorithm } from '../../domain/definition.ts';
import type { DataSet } from '../data/dataset.ts';
import type { Folds } from './folds.ts';

/** One point of an algorithm's search space, and what was learnt about it (for example the number of trees). */
export type Parameters = Readonly<Record<string, number>>;

export interface CrossValidated {
  /** `configuration` completed by what the folds taught. */
  readonly parameters: Parameters;
  /** Mean over all rows, nats. */
  readonly logLoss: number;
  /** Out-of-fold probability per row of the folds, in their order. */
  readonly outOfFold: Float64Array;
}

export interface FittedModel {
  /** Probabilities of the positive class by the algorithm's own library: the ONNX file must say the same. */
  predict(dataSet: DataSet, rows: Int32Array): Float64Array;
  /** The bytes of `model.onnx`. The same model gives the same bytes. */
  toOnnx(): Uint8Array;
}

/** The seam for algorithms. Everything is deterministic in (data, folds, configuration, seed). */
export interface Trainer {
  readonly algorithm: Algorithm;
  /** Changes whenever the same inputs may give another model: part of the checkpoints' key. */
  readonly revision: string;
  readonly configurations: readonly Parameters[];
  crossValidate(configuration: Parameters, folds: Folds): CrossValidated;
  fit(parameters: Parameters, rows: Int32Array): FittedModel;
  /** Frees what is held outside the heap. */
  close(): void;
}
