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
  /** Held-out rows with labels (JSON lines), for the comparison with other versions on the same data. */
  readonly holdout: { readonly digest: Digest; readonly rows: number };
  /** Raw rows and the probabilities the raw graph gave for them: proved again at each load. */
  readonly golden: readonly GoldenRow[];
}

export interface GoldenRow {
  readonly features: Readonly<Record<string, string | number | boolean | null>>;
  readonly probability: number;
}
