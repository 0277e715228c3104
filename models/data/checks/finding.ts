import type { DataFinding, Severity } from '../../../domain/evaluation.ts';

type Evidence = DataFinding['evidence'];

export function finding(
  check: DataFinding['check'],
  severity: Severity,
  column: string | null,
  message: string,
  evidence: Evidence = {},
): DataFinding {
  return { check, severity, column, message, evidence };
}

/** `12.3 %` of a share. */
export const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
