import type { Severity } from '../../domain/evaluation.ts';

/** What the doctor looks at. */
export type FindingCheck =
  | 'file'
  | 'opset'
  | 'operators'
  | 'externalData'
  | 'inputs'
  | 'output'
  | 'zipMap'
  | 'batch'
  | 'load'
  | 'run'
  | 'signature'
  | 'samples'
  | 'memory'
  | 'time'
  | 'crash';

/** One thing that is to say about a model file. An `error` keeps it from being imported. */
export interface Finding {
  readonly check: FindingCheck;
  readonly severity: Severity;
  /** What is so; one sentence for a person. */
  readonly message: string;
  /** How to mend it: what to do where the file was made, often one line of Python. `null`: nothing to do. */
  readonly fix: string | null;
}

/** Ends an examination: what comes after it would have nothing to stand on. */
export class Unusable extends Error {
  readonly findings: readonly Finding[];

  constructor(findings: readonly Finding[]) {
    super(findings.map((finding) => finding.message).join('; '));
    this.name = 'Unusable';
    this.findings = findings;
  }
}

export const error = (check: FindingCheck, message: string, fix: string | null): Finding => ({
  check,
  severity: 'error',
  message,
  fix,
});
export const warning = (check: FindingCheck, message: string, fix: string | null = null): Finding => ({
  check,
  severity: 'warning',
  message,
  fix,
});
export const info = (check: FindingCheck, message: string): Finding => ({
  check,
  severity: 'info',
  message,
  fix: null,
});
