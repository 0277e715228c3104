import type { Evaluation, Performance } from '../../domain/evaluation.ts';
import type { Signature } from '../../domain/signature.ts';
import type { ForeignBinding, GoldenRow } from '../manifest.ts';
import type { Finding } from './finding.ts';
import type { SampleRow } from './sample-row.ts';
import type { SignatureFile } from './signature-file.ts';

export interface ExamineRequest {
  readonly onnxPath: string;
  /** `null`: everything is inferred from the file. */
  readonly signature: SignatureFile | null;
  /** What holds where the signature is silent: the model's definition, when there is one. */
  readonly defaults: {
    readonly entity: string | null;
    readonly target: { readonly column: string; readonly positive: string } | null;
    readonly risk: Signature['risk'];
  };
  readonly samples: readonly SampleRow[];
}

/** Time of scoring rows together: encoding, run and reading the answer. */
export interface BatchLatency {
  readonly rows: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly rowsPerSecond: number;
}

/** Everything a version is made of, and what the doctor measured on the way. */
export interface ExaminedModel {
  readonly signature: Signature;
  readonly foreign: ForeignBinding;
  readonly golden: readonly GoldenRow[];
  /** On the labelled samples; `null` when there are none of both classes. */
  readonly evaluation: Evaluation | null;
  readonly performance: Performance;
  readonly latency: readonly BatchLatency[];
  /** For example `skl2onnx 1.19.1`; empty when the file does not say. */
  readonly producer: string;
  /** For example `ai.onnx 17, ai.onnx.ml 3`. */
  readonly opsets: string;
  readonly threads: { readonly intraOp: number; readonly reason: string };
}

export type Examination =
  /** Findings that are no errors. */
  | { readonly ok: true; readonly findings: readonly Finding[]; readonly model: ExaminedModel }
  | { readonly ok: false; readonly findings: readonly Finding[] };

/** In order; the parent names the last one when the child dies. */
export const STAGES = ['reading', 'loading', 'running', 'measuring'] as const;
export type Stage = (typeof STAGES)[number];
