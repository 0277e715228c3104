import type { DataReport } from '../../domain/evaluation.ts';
import type { TrainModelResult } from '../../workflows/messages.ts';
import type { TrainAnswer } from '../api/answers.ts';
import type { Session } from '../session.ts';
import { renderBar } from '../terminal/bar.ts';
import { formatDuration } from '../terminal/format.ts';
import { renderTable } from '../terminal/table.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { renderEvaluation, renderGates } from './evaluation.ts';

const BAR_COLUMNS = 20;
/** A feature's type as the data has it: one line a feature, which `models show --version` tells better. */
const AS_INFERRED = /^[^:]+: (category|integer|number|boolean)\b/;
/** A worker picks a training up at once; after this long, a person should look for it. */
const NO_WORKER_AFTER_MS = 15_000;

/** Shows each look at a running training: in place on a terminal, a line per change elsewhere, nothing with --json. */
export function createTrainingView(session: Session, model: string): (answer: TrainAnswer) => void {
  if (session.json) return () => undefined;
  const { terminal } = session;
  const startedAtMs = Date.now();
  let lastLine = '';
  return (answer) => {
    if (answer.status !== 'running') {
      terminal.settle();
      return;
    }
    const { line, bar } = describe(answer, model, Date.now() - startedAtMs);
    const elapsed = formatDuration(Date.now() - (answer.progress?.startedAtMs ?? startedAtMs));
    if (terminal.interactive) {
      terminal.redraw([`${renderBar(bar, BAR_COLUMNS, terminal.style)} ${line}  ${terminal.style.dim(elapsed)}`]);
    } else if (line !== lastLine) {
      terminal.note(`${line}  (${elapsed})`);
      lastLine = line;
    }
  };
}

function describe(answer: TrainAnswer, model: string, waitedMs: number): { line: string; bar: number } {
  const { progress } = answer;
  if (progress === null) {
    const worker = waitedMs > NO_WORKER_AFTER_MS ? '; is the worker running? See `sluice status`' : '';
    return { line: `${model}: waiting for a worker${worker}`, bar: 0 };
  }
  const { detail } = progress;
  const within = detail === null || detail.total <= 0 ? 0 : Math.min(1, detail.done / detail.total);
  return {
    line: `${model}: ${progress.stage}: ${detail?.message ?? progress.message}`,
    bar: progress.total <= 0 ? 0 : (progress.done + within) / progress.total,
  };
}

/** What came of it: metrics, gates with their evidence, and the next command to type. */
export function renderTrainResult(result: TrainModelResult, terminal: Terminal): readonly string[] {
  const { style } = terminal;
  if (result.kind === 'dataInvalid') {
    return [
      `${style.red(style.signs.no)} The data of ${style.bold(result.model)} cannot be trained on`,
      '',
      ...renderFindings(result.report, terminal),
      '',
      'Next: correct the data or the definition, then train again',
    ];
  }
  const accepted = result.kind === 'accepted';
  const sign = accepted ? style.green(style.signs.yes) : style.red(style.signs.no);
  const outcome = accepted ? style.green('accepted') : style.red('rejected by its gates');
  return [
    `${sign} ${style.bold(result.model)} version ${style.bold(String(result.version))} (${result.algorithm}): ${outcome}`,
    '',
    ...renderEvaluation(result.evaluation, terminal),
    '',
    ...renderGates(result.gates, terminal),
    '',
    ...(result.notes ?? []).filter((note) => !AS_INFERRED.test(note)).map((note) => `${style.yellow('note:')} ${note}`),
    `Next: ${nextCommand(result)}`,
  ];
}

function nextCommand(result: Exclude<TrainModelResult, { kind: 'dataInvalid' }>): string {
  if (result.kind === 'rejected') return `sluice models show ${result.model} --version ${result.version}`;
  if (result.rollout !== null) return `sluice rollout watch ${result.model}`;
  return `sluice rollout start ${result.model} --version ${result.version} --watch`;
}

function renderFindings(report: DataReport, terminal: Terminal): readonly string[] {
  const { style, width } = terminal;
  const paint = { error: style.red, warning: style.yellow, info: style.dim };
  return renderTable(
    [{ title: 'severity' }, { title: 'check' }, { title: 'column' }, { title: 'finding', shrink: true }],
    report.findings.map((f) => [paint[f.severity](f.severity), f.check, f.column ?? '', f.message]),
    style,
    width,
  );
}
