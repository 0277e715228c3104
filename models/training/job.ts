import type { Algorithm, TrainableDefinition } from '../../domain/definition.ts';
import type { DataReport, Evaluation, Performance } from '../../domain/evaluation.ts';
import type { Signature } from '../../domain/signature.ts';
import type { GoldenRow } from '../manifest.ts';
import type { ScoredFile } from '../onnx/open-scorer.ts';

/** Work that runs in a child process: never on a worker's event loop. */
export interface JobProgress {
  /** For example `cross-validation`, `fit`, `write onnx`. */
  readonly stage: string;
  readonly done: number;
  readonly total: number;
  /** One line for a person. */
  readonly message: string;
}

export interface JobControl {
  readonly onProgress: (progress: JobProgress) => void;
  readonly signal: AbortSignal;
  /** Heap limit of the child, MB. */
  readonly memoryMb: number;
}

export interface DataJob {
  readonly dataPath: string;
  readonly definition: TrainableDefinition;
}

export interface TrainingJob extends DataJob {
  readonly algorithms: readonly Algorithm[];
  readonly seed: number;
  /** Scratch folder: outputs and checkpoints. A second run with the same job finds its finished parts there. */
  readonly workDir: string;
  /** LightGBM's library file, `null` when it cannot be had; then `gradient-boosting` is left out and a note says so. */
  readonly lightgbmLibrary: string | null;
}

export interface TrainingOutcome {
  readonly algorithm: Algorithm;
  readonly parameters: Readonly<Record<string, string | number | boolean>>;
  /** Mean cross-validated log loss by algorithm tried. */
  readonly crossValidation: Readonly<Partial<Record<Algorithm, number>>>;
  readonly signature: Signature;
  readonly evaluation: Evaluation;
  readonly golden: readonly GoldenRow[];
  readonly onnxPath: string;
  /** JSON lines `{"features": {...}, "label": 0|1}` of the held-out rows. */
  readonly holdoutPath: string;
  readonly holdoutRows: number;
  /** Lines for a person: what was left out and why, what was decided. */
  readonly notes: readonly string[];
}

export interface EvaluationJob extends ScoredFile {
  readonly holdoutPath: string;
}

export interface MeasureJob extends ScoredFile {
  readonly golden: readonly GoldenRow[];
}

/** The parent's side; each forks a child, reports its progress, and kills it when the signal fires. */
export interface Jobs {
  checkData(job: DataJob, control: JobControl): Promise<DataReport>;
  train(job: TrainingJob, control: JobControl): Promise<TrainingOutcome>;
  /** Scores a version on held-out rows. */
  evaluate(job: EvaluationJob, control: JobControl): Promise<Evaluation>;
  measure(job: MeasureJob, control: JobControl): Promise<Performance>;
}
