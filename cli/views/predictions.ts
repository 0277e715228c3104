import { describeProblems } from '../../domain/errors.ts';
import type { FailedPrediction, PredictionAnswer } from '../api/answers.ts';
import type { Instance } from '../api/sluice-api.ts';
import { formatMetric } from '../terminal/format.ts';
import { renderPairs, renderTable } from '../terminal/table.ts';
import { renderExplanation } from './explanation.ts';
import type { Style } from '../terminal/style.ts';
import type { Terminal } from '../terminal/terminal.ts';

export function renderPrediction(prediction: PredictionAnswer, terminal: Terminal): readonly string[] {
  const { style } = terminal;
  return [
    ...renderPairs(
      [
        ['label', style.bold(prediction.label)],
        ['probability', `${formatMetric(prediction.probability)} (threshold ${formatMetric(prediction.threshold)})`],
        ['risk', paintRisk(prediction.risk, style)],
        ['answered by', `${prediction.model} version ${prediction.model_version} (${prediction.variant})`],
        ['took', `${prediction.latency_ms.toFixed(2)} ms`],
        ['request id', prediction.request_id],
      ],
      style,
    ),
    ...prediction.warnings.map((w) => style.yellow(`warning: ${describeProblems([w])}`)),
    ...(prediction.explanation === undefined ? [] : renderExplanation(prediction.explanation, prediction, terminal)),
    style.dim(`What really happened: sluice feedback --request ${prediction.request_id} --label ${prediction.label}`),
  ];
}

export function renderPredictions(
  predictions: readonly (PredictionAnswer | FailedPrediction)[],
  instances: readonly Instance[],
  terminal: Terminal,
): readonly string[] {
  const { style } = terminal;
  const rows = predictions.map((p, i) => {
    const name = [String(i + 1), instances[i]?.entity_id ?? ''];
    if ('error' in p) return [...name, style.red('refused'), '', '', '', describeProblems(p.problems)];
    const warnings = describeProblems(p.warnings);
    return [...name, p.label, formatMetric(p.probability), paintRisk(p.risk, style), `v${p.model_version}`, warnings];
  });
  return renderTable(
    [
      { title: 'row', align: 'right' },
      { title: 'entity' },
      { title: 'label' },
      { title: 'probability', align: 'right' },
      { title: 'risk' },
      { title: 'version' },
      { title: 'to note', shrink: true },
    ],
    rows,
    style,
    terminal.width,
  );
}

function paintRisk(risk: string, style: Style): string {
  if (risk === 'high') return style.red(risk);
  return risk === 'medium' ? style.yellow(risk) : style.green(risk);
}
