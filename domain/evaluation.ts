import type { QualityMetric } from './definition.ts';

/**
 * Quality on held-out rows. Shares 0..1; log loss in nats; ECE over 10 equal-width bins. With 0 `rows` nothing was
 * measured, and no figure means anything: an imported model came without labelled rows.
 */
export interface Evaluation extends Readonly<Record<QualityMetric, number>> {
  readonly rows: number;
  readonly positives: number;
  readonly threshold: number;
  readonly confusion: {
    readonly truePositive: number;
    readonly falsePositive: number;
    readonly trueNegative: number;
    readonly falseNegative: number;
  };
}

/** For a model that came without labelled rows. */
export function notEvaluated(threshold: number): Evaluation {
  const confusion = { truePositive: 0, falsePositive: 0, trueNegative: 0, falseNegative: 0 };
  const figures = { auc: 0, prAuc: 0, logLoss: 0, accuracy: 0, brier: 0, ece: 0 };
  return { ...figures, rows: 0, positives: 0, threshold, confusion };
}

export type Severity = 'info' | 'warning' | 'error';

/** One finding about a data set. `error` stops the training. */
export interface DataFinding {
  readonly check: 'schema' | 'type' | 'missing' | 'range' | 'duplicates' | 'leakage' | 'balance' | 'constant' | 'size';
  readonly severity: Severity;
  readonly column: string | null;
  readonly message: string;
  readonly evidence: Readonly<Record<string, string | number | boolean | null>>;
}

export interface DataReport {
  readonly rows: number;
  readonly columns: number;
  readonly positives: number;
  readonly findings: readonly DataFinding[];
  /** False when any finding is an error. */
  readonly ok: boolean;
}

/** Outcome of one gate. Every result carries the numbers it was decided on. */
export interface GateResult {
  /** For example `quality.auc`, `champion`, `latency`, `throughput`. */
  readonly gate: string;
  readonly passed: boolean;
  /** One sentence for a person: what was measured against what. */
  readonly message: string;
  readonly evidence: Readonly<Record<string, string | number | boolean | null>>;
}

/** Speed of one version, measured in a process of its own. */
export interface Performance {
  readonly singleRowP50Ms: number;
  readonly singleRowP95Ms: number;
  readonly rowsPerSecond: number;
  readonly artefactBytes: number;
  readonly runs: number;
}

/** What made a version. */
export interface Lineage {
  readonly dataDigest: string;
  readonly dataSource: string;
  readonly dataRows: number;
  readonly definitionDigest: string;
  readonly codeCommit: string;
  readonly algorithm: string;
  readonly parameters: Readonly<Record<string, string | number | boolean>>;
  readonly seed: number;
  /** Mean cross-validated log loss by algorithm tried. */
  readonly crossValidation: Readonly<Record<string, number>>;
  readonly workflowId: string;
  readonly runId: string;
}
