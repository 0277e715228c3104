import type { RolloutSnapshot } from '../../domain/rollout/state.ts';
import type { Evidence } from '../../domain/verdict.ts';
import { renderBar } from '../terminal/bar.ts';
import { formatDuration, formatNumber, formatPercent, formatTime } from '../terminal/format.ts';
import type { Style } from '../terminal/style.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { padEnd, wrap } from '../terminal/text.ts';

const BAR_COLUMNS = 30;
/** Beside the bar of a weight: variant, version and a share such as `12.34 %`. */
const WEIGHT_WORDS_COLUMNS = 28;
const EVIDENCE_BAR_COLUMNS = 12;
const LABEL_COLUMNS = 12;

const OVER = ['promoted', 'rolledBack', 'aborted', 'concluded'];

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
  return phase === 'paused' || phase === 'frozen' ? style.yellow(words) : style.cyan(words);
}

/** What changed since the last look: counters alone are no change. */
export function changeKey(snapshot: RolloutSnapshot): string {
  const { phase, stepIndex, weightPercent, generation, verdict, reason, hold, approvals } = snapshot;
  return JSON.stringify([
    phase,
    stepIndex,
    weightPercent,
    generation,
    verdict?.kind ?? null,
    reason,
    hold ?? null,
    approvals ?? null,
  ]);
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
    ...renderWeights(snapshot, terminal),
    '',
    ...labelled('phase', `${paintPhase(snapshot.phase, style)}, generation ${snapshot.generation}`, terminal),
    ...labelled('steps', renderSteps(snapshot, style), terminal),
    ...renderTimeLeft(snapshot, terminal, nowMs),
    ...renderVerdict(snapshot, terminal),
    ...renderSamples(snapshot, terminal),
    ...renderNeeds(snapshot, terminal, nowMs),
    ...renderWords(snapshot, terminal),
    ...renderAge(snapshot, terminal, nowMs),
  ];
}

function renderWeights(snapshot: RolloutSnapshot, { style, width }: Terminal): readonly string[] {
  const columns = Math.min(BAR_COLUMNS, Math.max(5, width - WEIGHT_WORDS_COLUMNS));
  return snapshot.routes.map((route) => {
    const bar = renderBar(route.weightPercent / 100, columns, style);
    const painted = route.variant === 'candidate' || route.variant === 'shadow' ? style.cyan(bar) : style.green(bar);
    const mirror = route.mirrorPercent === undefined ? '' : `, copies of ${formatPercent(route.mirrorPercent)}`;
    const name = padEnd(route.variant, LABEL_COLUMNS - 2);
    return `  ${name}${padEnd(`v${route.version}`, 5)} ${painted} ${formatPercent(route.weightPercent)}${mirror}`;
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
    ...verdict.evidence.map((evidence) => renderEvidence(evidence, terminal)),
  ];
}

const METRIC_WORDS: Readonly<Record<string, string>> = {
  errorRate: 'error rate',
  p95: 'slow requests',
  errorRateVsBaseline: 'errors vs baseline',
  slowVsBaseline: 'slow vs baseline',
  scoreShift: 'score shift',
  shadowErrors: 'shadow errors',
  shadowDisagreement: 'disagreement',
  shadowScore: 'shadow score',
  shadowLatency: 'shadow latency',
};
const METRIC_COLUMNS = 19;
/** A screen narrower than this shows of each metric its way to the threshold, and no shares: they would be cut off. */
const WIDE_COLUMNS = 120;

/** The bar is the way from no evidence (1) to the threshold, on a logarithmic scale, as evidence multiplies. */
function renderEvidence(evidence: Evidence, { style, interactive, width }: Terminal): string {
  const way = evidence.eValue <= 1 ? 0 : Math.log(evidence.eValue) / Math.log(evidence.threshold);
  const bar = renderBar(way, EVIDENCE_BAR_COLUMNS, style);
  const name = evidence.event ?? METRIC_WORDS[evidence.metric] ?? evidence.metric;
  const state = evidence.status ?? (way >= 1 ? 'breached' : 'open');
  const paint = { breached: style.red, healthy: style.green, open: style.dim }[state];
  const value = `${formatEValue(evidence.eValue)} of ${formatNumber(evidence.threshold)}`;
  const watches = evidence.action === 'watch';
  const indent = ' '.repeat(LABEL_COLUMNS);
  if (interactive && width < WIDE_COLUMNS) {
    const said = `${padEnd(value, 17)} ${paint(state)}${watches ? style.dim(', watched') : ''}`;
    return width < 80
      ? `  ${padEnd(name, METRIC_COLUMNS)}${said}`
      : `${indent}${padEnd(name, METRIC_COLUMNS)}${paint(bar)} ${said}`;
  }
  const watched = watches ? style.dim(' (watched only)') : '';
  return `${indent}${padEnd(name, METRIC_COLUMNS)}${padEnd(observedOf(evidence), 26)} ${paint(bar)} ${padEnd(`e-value ${value}`, 24)} ${paint(state)}${watched}`;
}

/** Shares read as percentages; what is compared with another arm names that arm's own. */
function observedOf({ metric, observed, baseline, limit }: Evidence): string {
  if (metric === 'errorRate' || metric === 'p95') {
    return `${formatPercent(observed * 100)} (limit ${formatPercent(limit * 100)})`;
  }
  if (metric === 'errorRateVsBaseline' || metric === 'slowVsBaseline') {
    const other = baseline === undefined ? '' : ` (baseline ${formatPercent(baseline * 100)})`;
    return `${formatPercent(observed * 100)}${other}`;
  }
  return `${formatNumber(observed)} (limit ${formatNumber(limit)})`;
}

function formatEValue(value: number): string {
  return value >= 1e6 || (value > 0 && value < 1e-3) ? value.toExponential(1) : formatNumber(value);
}

function renderSamples({ samples, phase }: RolloutSnapshot, terminal: Terminal): readonly string[] {
  if (samples === undefined) return [];
  const { style } = terminal;
  const arms = (['candidate', 'baseline', 'champion'] as const).filter(
    (arm) => arm === 'candidate' || samples[arm] > 0,
  );
  const counted = arms.map((arm) => `${arm} ${formatNumber(samples[arm])}`).join(', ');
  const pairs = samples.shadowPairs > 0 ? `, ${formatNumber(samples.shadowPairs)} pairs of the shadow` : '';
  if (isOver(phase) || samples.stepMin === 0) return labelled('requests', counted + pairs, terminal);
  const share = samples.step / samples.stepMin;
  const bar = renderBar(share, EVIDENCE_BAR_COLUMNS, style);
  const step = `${share >= 1 ? style.green(bar) : style.cyan(bar)} ${formatNumber(samples.step)} of ${formatNumber(samples.stepMin)}`;
  return [...labelled('requests', counted + pairs, terminal), ...labelled('this step', step, terminal)];
}

/** What people, calendars and processes still owe. */
function renderNeeds(snapshot: RolloutSnapshot, terminal: Terminal, nowMs: number): readonly string[] {
  const { style } = terminal;
  const { hold, approvals, adoption, evidenceHash } = snapshot;
  if (isOver(snapshot.phase)) return [];
  const lines: string[] = [];
  if (hold != null) {
    const until = hold.untilMs === null ? 'until a person says so' : `for ${formatDuration(hold.untilMs - nowMs)} more`;
    lines.push(...labelled('held', style.yellow(`${hold.reason}, ${until}`), terminal));
  }
  for (const rule of approvals?.rules ?? []) {
    const who = rule.approvedBy.length === 0 ? 'nobody yet' : rule.approvedBy.join(', ');
    const text = `${rule.persons} x ${rule.role}: ${who}`;
    const sign = rule.satisfied ? style.green(style.signs.yes) : style.yellow(style.signs.empty);
    lines.push(...labelled('approval', `${sign} ${text}`, terminal));
  }
  if (approvals != null && !approvals.satisfied && evidenceHash !== undefined) {
    lines.push(...labelled('evidence', `${evidenceHash}: sluice rollout approve ${snapshot.model}`, terminal));
  }
  if (adoption != null && !adoption.adopted) {
    const count = adoption.waitingFor.length;
    lines.push(
      ...labelled('processes', style.yellow(`${count} do not follow generation ${adoption.generation} yet`), terminal),
    );
  }
  return lines;
}

function renderWords(snapshot: RolloutSnapshot, terminal: Terminal): readonly string[] {
  const { now, waitsFor, next } = snapshot.explanation;
  return [
    ...labelled('now', now, terminal),
    ...(next === '' ? [] : labelled('next', next, terminal)),
    // The longest comes last: a screen that is too short cuts the end off.
    ...(waitsFor === '' ? [] : labelled('waits for', waitsFor, terminal)),
    ...(snapshot.reason === null ? [] : labelled('reason', snapshot.reason, terminal)),
  ];
}

function renderTimeLeft(
  { phase, stepEndsAtMs }: RolloutSnapshot,
  terminal: Terminal,
  nowMs: number,
): readonly string[] {
  if (isOver(phase)) return [];
  if (stepEndsAtMs === null) return labelled('time left', 'waits for a person', terminal);
  const leftMs = stepEndsAtMs - nowMs;
  const left = leftMs > 0 ? `at least ${formatDuration(leftMs)} in this step` : 'the time of this step is over';
  return labelled('time left', left, terminal);
}

function renderAge({ phase, startedAtMs }: RolloutSnapshot, terminal: Terminal, nowMs: number): readonly string[] {
  if (isOver(phase)) return labelled('started', formatTime(startedAtMs), terminal);
  return labelled('running for', formatDuration(nowMs - startedAtMs), terminal);
}

function labelled(label: string, text: string, terminal: Terminal): readonly string[] {
  const room = Math.max(20, terminal.width - LABEL_COLUMNS - 1);
  return wrap(text, room).map((line, i) => `${terminal.style.dim(padEnd(i === 0 ? label : '', LABEL_COLUMNS))}${line}`);
}
