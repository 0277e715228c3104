import type { ExplanationAnswer, PredictionAnswer } from '../api/answers.ts';
import { renderBar } from '../terminal/bar.ts';
import { renderTable } from '../terminal/table.ts';
import type { Style } from '../terminal/style.ts';
import type { Terminal } from '../terminal/terminal.ts';

const BAR_COLUMNS = 20;

/** Bars of what speaks for the answered class and against the other, in log odds. */
export function renderExplanation(
  explanation: ExplanationAnswer,
  { label, probability, threshold }: Pick<PredictionAnswer, 'label' | 'probability' | 'threshold'>,
  { style, width }: Terminal,
): readonly string[] {
  if ('refused' in explanation) return [style.yellow(`not explained: ${explanation.refused}`)];
  const { base, logit, contributions, others, cost_ms: costMs } = explanation;
  const rows = [
    ...contributions.map((c) => ({ name: c.feature, value: shown(c.value), contribution: c.contribution })),
    { name: 'all others', value: '', contribution: others },
  ];
  const largest = Math.max(...rows.map((r) => Math.abs(r.contribution)));
  const forPositive = probability >= threshold ? `for ${label}` : `against ${label}`;
  return [
    style.dim(`Why: log odds ${signed(base)} on average, ${signed(logit)} here; + speaks ${forPositive}`),
    ...renderTable(
      [
        { title: 'feature', shrink: true },
        { title: 'value', shrink: true },
        { title: '' },
        { title: 'adds', align: 'right' },
      ],
      rows.map((r) => [r.name, r.value, barOf(r.contribution, largest, style), signed(r.contribution)]),
      style,
      width,
    ),
    style.dim(`explained in ${costMs.toFixed(2)} ms`),
  ];
}

function barOf(contribution: number, largest: number, style: Style): string {
  const bar = renderBar(largest > 0 ? Math.abs(contribution) / largest : 0, BAR_COLUMNS, style);
  return contribution < 0 ? style.yellow(bar) : style.cyan(bar);
}

function shown(value: string | number | boolean | null): string {
  return value === null ? 'missing' : String(value);
}

function signed(value: number): string {
  const text = Math.abs(value).toFixed(3);
  return `${value < 0 ? '-' : '+'}${text}`;
}
