import type { QualityMetric } from '../../domain/definition.ts';
import type { Evaluation, GateResult } from '../../domain/evaluation.ts';
import { formatMetric, formatNumber } from '../terminal/format.ts';
import { renderTable } from '../terminal/table.ts';
import type { Terminal } from '../terminal/terminal.ts';

const METRIC_NAMES: Readonly<Record<QualityMetric, readonly [string, string]>> = {
  auc: ['AUC', 'higher is better'],
  prAuc: ['PR-AUC', 'higher is better'],
  logLoss: ['log loss', 'lower is better'],
  accuracy: ['accuracy', 'higher is better'],
  brier: ['Brier score', 'lower is better'],
  ece: ['ECE', 'lower is better'],
};

/** The metrics on the held-out rows, and the confusion at the threshold. */
export function renderEvaluation(evaluation: Evaluation, terminal: Terminal): readonly string[] {
  if (evaluation.rows === 0) return ['Not evaluated: the model came without labelled rows.'];
  const rows = (Object.keys(METRIC_NAMES) as QualityMetric[]).map((metric) => [
    METRIC_NAMES[metric][0],
    formatMetric(evaluation[metric]),
    METRIC_NAMES[metric][1],
  ]);
  const c = evaluation.confusion;
  return [
    ...renderTable(
      [{ title: 'metric' }, { title: 'value', align: 'right' }, { title: '' }],
      rows,
      terminal.style,
      terminal.width,
    ),
    `${formatNumber(evaluation.rows)} held-out rows, ${formatNumber(evaluation.positives)} positive`,
    `At threshold ${formatMetric(evaluation.threshold)}: ${c.truePositive} true positive, ${c.falsePositive} false positive, ` +
      `${c.trueNegative} true negative, ${c.falseNegative} false negative`,
  ];
}

/** One line a gate, with the numbers it was decided on below it. */
export function renderGates(gates: readonly GateResult[], terminal: Terminal): readonly string[] {
  const { style } = terminal;
  return gates.flatMap((gate) => {
    const sign = gate.passed ? style.green(style.signs.yes) : style.red(style.signs.no);
    const evidence = Object.entries(gate.evidence).map(([name, value]) => {
      return `${name} ${typeof value === 'number' ? formatNumber(value) : String(value)}`;
    });
    return [
      `${sign} ${style.bold(gate.gate)}  ${gate.message}`,
      ...(evidence.length === 0 ? [] : [`    ${style.dim(evidence.join(', '))}`]),
    ];
  });
}
