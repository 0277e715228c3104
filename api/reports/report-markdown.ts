import { nameOf } from './build-report.ts';
import type { RolloutReport } from './build-report.ts';
import { reportPlot } from './report-plot.ts';

const ENDINGS: Readonly<Record<string, string>> = {
  promoted: 'was promoted',
  rolledBack: 'was rolled back',
  aborted: 'was called off',
  concluded: 'ended with an answer',
};

/** The report for people: what happened and why first, then every change, then the plan. The plot is part of the text. */
export function reportMarkdown(report: RolloutReport): string {
  const { model, candidate, champion, strategy, outcome, reason } = report;
  const ending = ENDINGS[outcome] ?? `is ${outcome}`;
  const against = champion === null ? 'as the first version' : `against version ${champion}`;
  const plot = Buffer.from(reportPlot(report)).toString('base64');
  return [
    `# Rollout of ${cell(model)} version ${candidate}`,
    '',
    `Version ${candidate} ${ending} (${strategy}, ${against})${reason === null ? '' : `: ${cell(reason)}`}.`,
    '',
    ...table(
      ['', ''],
      [
        ['rollout', `\`${report.rollout_id}\``],
        ['started', `${report.started_at} by ${report.started_by}`],
        ['finished', report.finished_at ?? 'still open'],
        ['took', inWords(report.duration_ms)],
      ],
    ),
    '',
    `![Weights and evidence over time](data:image/svg+xml;base64,${plot})`,
    '',
    '## Decisions',
    '',
    ...table(
      ['when', 'generation', 'weights', 'who', 'why', 'evidence'],
      report.changes.map((c) => [
        c.at,
        String(c.generation),
        c.routes.map((r) => `${r.variant} v${r.version} ${r.weightPercent} %`).join(', '),
        c.decided_by,
        c.reason,
        c.evidence === null ? '' : `${c.evidence.kind}: ${c.evidence.reason}`,
      ]),
    ),
    '',
    '## Evidence at the end',
    '',
    ...evidence(report),
    '',
    '## Plan',
    '',
    ...table(
      ['step', 'weight', 'watched at least', 'waits at most', 'approvals'],
      report.plan.steps.map((s, i) => [
        String(i + 1),
        `${s.weightPercent} %`,
        inWords(s.bakeTimeMs),
        s.maxWaitMs === undefined ? '' : `${inWords(s.maxWaitMs)}, then ${s.onMaxWait ?? 'hold'}`,
        (s.approvals ?? []).map((a) => `${a.persons} x ${a.role}`).join(', '),
      ]),
    ),
    '',
    `Limits: ${Number((report.plan.limits.errorRateMax * 100).toPrecision(3))} % errors, p95 ${report.plan.limits.p95MsMax} ms.`,
    '',
  ].join('\n');
}

function evidence({ verdict, looks }: RolloutReport): readonly string[] {
  if (verdict === null) return ['Nothing was measured.'];
  const last = looks.at(-1);
  const requests = Object.entries(last?.requests ?? {}).map(([arm, n]) => `${arm} ${n}`);
  return [
    `${verdict.kind}: ${cell(verdict.reason)}.${requests.length === 0 ? '' : ` Requests: ${requests.join(', ')}.`}`,
    '',
    ...table(
      ['metric', 'status', 'observed', 'limit', 'e-value', 'threshold', 'in words'],
      verdict.evidence.map((e) => [
        nameOf(e),
        e.status ?? '',
        short(e.observed),
        short(e.limit),
        short(e.eValue),
        short(e.threshold),
        e.sentence ?? '',
      ]),
    ),
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), `| ${head.map(() => '---').join(' | ')} |`, ...rows.map(line)];
}

/** Reasons are written by people: no cell ends its table, and nothing in it is markup. */
function cell(content: string): string {
  return content.replaceAll(/[\r\n]+/g, ' ').replaceAll(/[|<>\\[\]]/g, (c) => `\\${c}`);
}

const short = (value: number): string => String(Number(value.toPrecision(4)));

function inWords(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 2_880 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${(minutes / 1_440).toFixed(1)} days`;
}
