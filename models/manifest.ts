import type { Digest } from '../domain/artefacts.ts';
import type { Evaluation } from '../domain/evaluation.ts';
import type { Signature } from '../domain/signature.ts';

/**
 * What makes up one model version in the artefact store. The manifest itself is stored as canonical JSON, so that the
 * same data, definition and seed give the same manifest digest: nothing in it depends on the time or the place.
 */
export interface ArtefactManifest {
  readonly formatVersion: 1;
  readonly model: string;
  readonly algorithm: string;
  /** `model.onnx`: named raw inputs `[N,1]`, one output `probability` `[N,1]`. */
  readonly onnx: { readonly digest: Digest; readonly bytes: number };
  readonly signature: Signature;
  readonly evaluation: Evaluation;
  /**
   * Held-out rows with labels (JSON lines), for the comparison with other versions on the same data. An imported model
   * that came without labelled rows has 0 of them, in an empty file.
   */
  readonly holdout: { readonly digest: Digest; readonly rows: number };
  /** How to feed and read a graph of other make. Absent: a graph by the platform's convention. */
  readonly foreign?: ForeignBinding;
  /** Raw rows and the probabilities the raw graph gave for them: proved again at each load. */
  readonly golden: readonly GoldenRow[];
}

export interface GoldenRow {
  readonly features: Readonly<Record<string, string | number | boolean | null>>;
  readonly probability: number;
}

/** Element types an input may have; by the names of onnxruntime. */
export const INPUT_TYPES = ['float32', 'float64', 'int64', 'int32', 'bool', 'string'] as const;
export type InputType = (typeof INPUT_TYPES)[number];

/** Inputs and output of an imported graph. */
export interface ForeignBinding {
  readonly input:
    | { readonly kind: 'matrix'; readonly name: string; readonly type: InputType }
    /** One input per feature, of the feature's name, in the signature's order. */
    | { readonly kind: 'columns'; readonly columns: readonly ForeignColumn[] };
  /** The float tensor `[N]` or `[N, K]`, and its column with the probability of the positive class. */
  readonly output: { readonly name: string; readonly column: number };
}

export interface ForeignColumn {
  readonly name: string;
  readonly type: InputType;
  /** 1: `[N]`, 2: `[N, 1]`. */
  readonly rank: 1 | 2;
}
