import type { RolloutSnapshot } from '../../domain/rollout/state.ts';
import type { Evidence } from '../../domain/verdict.ts';
import { renderBar } from '../terminal/bar.ts';
import { formatDuration, formatNumber, formatPercent, formatTime } from '../terminal/format.ts';
import type { Style } from '../terminal/style.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { padEnd, wrap } from '../terminal/text.ts';

const BAR_COLUMNS = 30;
const EVIDENCE_BAR_COLUMNS = 12;
const LABEL_COLUMNS = 12;

const OVER = ['promoted', 'rolledBack', 'aborted'];

export function isOver(phase: string): boolean {
  return OVER.includes(phase);
}

const PHASE_WORDS: Readonly<Record<string, string>> = {
  keepWarm: 'keeping the old version warm',
  rollingBack: 'rolling back',
  rolledBack: 'rolled back',
};

function phaseInWords(phase: string): string {
  return PHASE_WORDS[phase] ?? phase;
}

export function paintPhase(phase: string, style: Style): string {
  const words = phaseInWords(phase);
  if (phase === 'promoted' || phase === 'keepWarm') return style.green(words);
  if (phase === 'rolledBack' || phase === 'rollingBack' || phase === 'aborted') return style.red(words);
  return phase === 'paused' ? style.yellow(words) : style.cyan(words);
}

/** What changed since the last look: counters alone are no change. */
export function changeKey(snapshot: RolloutSnapshot): string {
  const { phase, stepIndex, weightPercent, generation, verdict, reason } = snapshot;
  return JSON.stringify([phase, stepIndex, weightPercent, generation, verdict?.kind ?? null, reason]);
}

/** One line for logs: when, where it stands, what it waits for. */
export function renderChange(snapshot: RolloutSnapshot, nowMs: number): string {
  const { plan, stepIndex, verdict, explanation } = snapshot;
  const verdictWords = verdict === null ? 'no verdict yet' : verdict.kind;
  return [
    formatTime(nowMs),
    `${snapshot.model} v${snapshot.candidate}`,
    phaseInWords(snapshot.phase),
    `step ${Math.min(stepIndex + 1, plan.steps.length)}/${plan.steps.length}`,
    formatPercent(snapshot.weightPercent),
    verdictWords,
    isOver(snapshot.phase) ? (snapshot.reason ?? explanation.now) : explanation.now,
  ].join('  ');
}

/** The whole picture of one rollout; `nowMs` is the time at which it is looked at. */
export function renderRollout(snapshot: RolloutSnapshot, terminal: Terminal, nowMs: number): readonly string[] {
  const { style } = terminal;
  const against = snapshot.champion === null ? 'the first version' : `against version ${snapshot.champion}`;
  const title = `${style.bold(snapshot.model)}  rollout of version ${style.bold(String(snapshot.candidate))}, ${against}`;
  return [
    `${title}  ${style.dim(snapshot.plan.strategy)}`,
    '',
    ...renderWeights(snapshot, style),
    '',
    ...labelled('phase', `${paintPhase(snapshot.phase, style)}, generation ${snapshot.generation}`, terminal),
    ...labelled('steps', renderSteps(snapshot, style), terminal),
    ...renderVerdict(snapshot, terminal),
    ...renderWords(snapshot, terminal),
    ...renderTimes(snapshot, terminal, nowMs),
  ];
}

function renderWeights(snapshot: RolloutSnapshot, style: Style): readonly string[] {
  return snapshot.routes.map((route) => {
    const bar = renderBar(route.weightPercent / 100, BAR_COLUMNS, style);
    const painted = route.variant === 'candidate' ? style.cyan(bar) : style.green(bar);
    const name = padEnd(route.variant, LABEL_COLUMNS - 2);
    return `  ${name}${padEnd(`v${route.version}`, 5)} ${painted} ${formatPercent(route.weightPercent)}`;
  });
}

function renderSteps(snapshot: RolloutSnapshot, style: Style): string {
  const over = isOver(snapshot.phase) || snapshot.phase === 'keepWarm';
  return snapshot.plan.steps
    .map((step, i) => {
      const text = formatPercent(step.weightPercent);
      if (i < snapshot.stepIndex || (over && i === snapshot.stepIndex)) return style.dim(text);
      return i === snapshot.stepIndex ? style.bold(style.cyan(`[${text}]`)) : text;
    })
    .join(` ${style.signs.arrow} `);
}

function renderVerdict(snapshot: RolloutSnapshot, terminal: Terminal): readonly string[] {
  const { verdict } = snapshot;
  const { style } = terminal;
  if (verdict === null) return labelled('verdict', 'none yet', terminal);
  const paint = { rollback: style.red, healthy: style.green, inconclusive: style.yellow }[verdict.kind];
  return [
    ...labelled('verdict', `${paint(verdict.kind)}: ${verdict.reason}`, terminal),
    ...verdict.evidence.map((evidence) => `${' '.repeat(LABEL_COLUMNS)}${renderEvidence(evidence, style)}`),
  ];
}

/** The bar is the way from no evidence (1) to the threshold, on a logarithmic scale, as evidence multiplies. */
function renderEvidence(evidence: Evidence, style: Style): string {
  const way = evidence.eValue <= 1 ? 0 : Math.log(evidence.eValue) / Math.log(evidence.threshold);
  const bar = renderBar(way, EVIDENCE_BAR_COLUMNS, style);
  const name = evidence.metric === 'p95' ? 'slow requests' : 'error rate';
  const observed = `${formatPercent(evidence.observed * 100)} (limit ${formatPercent(evidence.limit * 100)})`;
  const value = `e-value ${formatEValue(evidence.eValue)} of ${formatNumber(evidence.threshold)}`;
  return `${padEnd(name, 14)}${padEnd(observed, 24)} ${way >= 1 ? style.red(bar) : style.dim(bar)} ${value}`;
}

function formatEValue(value: number): string {
  return value >= 1e6 || (value > 0 && value < 1e-3) ? value.toExponential(1) : formatNumber(value);
}

function renderWords(snapshot: RolloutSnapshot, terminal: Terminal): readonly string[] {
  const { now, waitsFor, next } = snapshot.explanation;
  return [
    ...labelled('now', now, terminal),
    ...(waitsFor === '' ? [] : labelled('waits for', waitsFor, terminal)),
    ...(next === '' ? [] : labelled('next', next, terminal)),
    ...(snapshot.reason === null ? [] : labelled('reason', snapshot.reason, terminal)),
  ];
}

function renderTimes(snapshot: RolloutSnapshot, terminal: Terminal, nowMs: number): readonly string[] {
  const since = labelled('running for', formatDuration(nowMs - snapshot.startedAtMs), terminal);
  if (isOver(snapshot.phase)) return labelled('started', formatTime(snapshot.startedAtMs), terminal);
  if (snapshot.stepEndsAtMs === null) return [...since, ...labelled('time left', 'waits for a person', terminal)];
  const leftMs = snapshot.stepEndsAtMs - nowMs;
  const left = leftMs > 0 ? `at least ${formatDuration(leftMs)} in this step` : 'the time of this step is over';
  return [...since, ...labelled('time left', left, terminal)];
}

function labelled(label: string, text: string, terminal: Terminal): readonly string[] {
  const room = Math.max(20, terminal.width - LABEL_COLUMNS - 1);
  return wrap(text, room).map((line, i) => `${terminal.style.dim(padEnd(i === 0 ? label : '', LABEL_COLUMNS))}${line}`);
}
