import type { Verdict, VerdictKind } from '../verdict.ts';

const BY_SEVERITY: readonly VerdictKind[] = ['healthy', 'inconclusive', 'rollback'];

/** The worst of several verdicts, with all their evidence: one rollback rolls back, health must be everybody's. */
export function combineVerdicts(verdicts: readonly Verdict[]): Verdict {
  const worst = verdicts.reduce((rank, v) => Math.max(rank, BY_SEVERITY.indexOf(v.kind)), 0);
  const kind = verdicts.length === 0 ? 'inconclusive' : (BY_SEVERITY[worst] ?? 'inconclusive');
  const reason = verdicts
    .filter((v) => v.kind === kind)
    .map((v) => v.reason)
    .join('; ');
  const failed = verdicts.find((v) => v.sampleRatio?.ok === false);
  const checked = failed ?? verdicts.find((v) => v.sampleRatio !== undefined && v.sampleRatio !== null);
  return {
    kind,
    reason: reason === '' ? 'nothing was judged' : reason,
    evidence: verdicts.flatMap((v) => v.evidence),
    sampleRatio: checked?.sampleRatio ?? null,
  };
}
