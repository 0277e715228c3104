import type { ImportAnswer, StartedWorkflow } from '../api/answers.ts';
import { formatNumber } from '../terminal/format.ts';
import { renderTable } from '../terminal/table.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { renderGates } from './evaluation.ts';

/** What the doctor found and measured, what the gates said, and what to do next. */
export function renderImport(
  imported: ImportAnswer,
  rollout: StartedWorkflow | null,
  terminal: Terminal,
): readonly string[] {
  const { style } = terminal;
  const { model, version, status, threads, producer } = imported;
  const accepted = status === 'accepted';
  const sign = accepted ? style.green(style.signs.yes) : style.red(style.signs.no);
  const again = imported.created ? '' : ' (imported before)';
  return [
    `${sign} ${style.bold(model)} version ${style.bold(String(version))} is ${status}${again}`,
    style.dim(`${producer === '' ? 'of unknown make' : `made by ${producer}`}; ${imported.opsets}`),
    '',
    ...renderFindings(imported, terminal),
    ...renderLatency(imported, terminal),
    `${threads.intraOp} thread a run: ${threads.reason}`,
    '',
    // The doctor's own gate repeats the table above.
    ...renderGates(
      imported.gates.filter((gate) => gate.gate !== 'doctor'),
      terminal,
    ),
    '',
    nextStep(imported, rollout),
  ];
}

function renderFindings({ findings }: ImportAnswer, { style }: Terminal): readonly string[] {
  if (findings.length === 0) return [];
  const lines = findings.flatMap(({ severity, message, fix }) => [
    `${severity === 'info' ? style.dim('note') : style.bold(severity)}  ${message}`,
    ...(fix === null ? [] : [`    ${style.dim(fix)}`]),
  ]);
  return [...lines, ''];
}

function renderLatency({ latency }: ImportAnswer, { style, width }: Terminal): readonly string[] {
  return renderTable(
    [
      { title: 'rows at once', align: 'right' },
      { title: 'p50 ms', align: 'right' },
      { title: 'p95 ms', align: 'right' },
      { title: 'rows/s', align: 'right' },
    ],
    latency.map(({ rows, p50Ms, p95Ms, rowsPerSecond }) => [
      formatNumber(rows),
      p50Ms.toFixed(3),
      p95Ms.toFixed(3),
      formatNumber(Math.round(rowsPerSecond)),
    ]),
    style,
    width,
  );
}

function nextStep({ model, version, status }: ImportAnswer, rollout: StartedWorkflow | null): string {
  if (rollout !== null) return `Rolling out. Next: sluice rollout watch ${model}`;
  if (status === 'accepted') return `Next: sluice rollout start ${model} --version ${version}`;
  return `It may not be rolled out. All about it: sluice models show ${model} --version ${version}`;
}
