import type { RolloutSnapshot } from '../domain/rollout/state.ts';

/** The metrics shown at most: the details are a short text in a narrow tab. */
const METRICS_SHOWN = 6;

/** What the Temporal UI shows as the current details: short, without tables. */
export function inMarkdown(s: RolloutSnapshot): string {
  const { now, waitsFor, next } = s.explanation;
  const verdict = s.verdict === null ? 'none yet' : `${s.verdict.kind} (${s.verdict.reason})`;
  const weights = s.routes.map((r) => `${r.variant} v${r.version} ${r.weightPercent} %`).join(', ');
  return [
    `**${s.model} version ${s.candidate}** (${s.plan.strategy}, ${s.phase})`,
    '',
    `- Now: ${now}`,
    `- Waits for: ${waitsFor}`,
    `- Next: ${next}`,
    `- Verdict: ${verdict}`,
    `- Weights: ${weights === '' ? 'none' : weights} (generation ${s.generation})`,
    ...evidenceLines(s),
    ...approvalLines(s),
  ].join('\n');
}

function evidenceLines({ eValues = [] }: RolloutSnapshot): readonly string[] {
  return eValues
    .slice(0, METRICS_SHOWN)
    .map(
      (e) =>
        `- Evidence, ${e.event ?? e.metric}: ${short(e.eValue)} of ${short(e.threshold)} against it${e.status === undefined ? '' : ` (${e.status})`}`,
    );
}

function approvalLines({ approvals, evidenceHash }: RolloutSnapshot): readonly string[] {
  const open = approvals?.rules.filter((rule) => !rule.satisfied) ?? [];
  return open.map((rule) => {
    const sample = JSON.stringify({ by: 'you', role: rule.role, evidenceHash, decision: 'approve' });
    return `- Approval of ${rule.role}: ${rule.approvedBy.length} of ${rule.persons}; update \`approve\` with \`${sample}\``;
  });
}

function short(value: number): string {
  return value !== 0 && (value >= 1e6 || value < 1e-3) ? value.toExponential(1) : String(Number(value.toPrecision(3)));
}
