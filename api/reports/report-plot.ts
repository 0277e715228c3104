import type { ReportPoint, RolloutReport } from './build-report.ts';

const WIDTH = 960;
const LEFT = 64;
const RIGHT = 24;
const INNER = WIDTH - LEFT - RIGHT;
const WEIGHTS = { top: 44, height: 150 };
const EVIDENCE = { top: 250, height: 210 };
const HEIGHT = 520;
/** Decades of evidence shown beyond the threshold. */
const ABOVE_THRESHOLD_DECADES = 1;
const DECADES_BELOW_ONE = 2;
/** Told apart by people who see no red or green (Okabe and Ito). */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'];
const ARM_COLOURS: Readonly<Record<string, string>> = {
  champion: '#999999',
  baseline: '#56b4e9',
  candidate: '#0072b2',
  shadow: '#cc79a7',
};

/** Weights (in force from change to change) above, evidence against its threshold below, on one axis of time. */
export function reportPlot(report: RolloutReport): string {
  const startMs = Date.parse(report.started_at);
  const spanMs = Math.max(1, report.duration_ms);
  const x = (at: string | number): number => {
    const share = ((typeof at === 'number' ? at : Date.parse(at)) - startMs) / spanMs;
    return round(LEFT + INNER * Math.min(1, Math.max(0, share)));
  };
  const title = `${report.model}: rollout of version ${report.candidate} (${report.strategy}), ${report.outcome}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    text(LEFT, 22, title, 'font-size="15" font-weight="bold"'),
    ...weightLines(report, x),
    ...evidenceLines(report.looks, x),
    ...timeAxis(report, x),
    '</svg>',
    '',
  ].join('\n');
}

type Scale = (at: string | number) => number;

function weightLines({ changes, duration_ms, started_at }: RolloutReport, x: Scale): readonly string[] {
  const { top, height } = WEIGHTS;
  const y = (percent: number): number => round(top + height * (1 - percent / 100));
  const arms = [...new Set(changes.flatMap((c) => c.routes.map((r) => r.variant)))];
  const endX = x(Date.parse(started_at) + duration_ms);
  const lines = arms.flatMap((arm, i) => {
    const colour = ARM_COLOURS[arm] ?? '#000000';
    const points = changes.map((c) => ({
      x: x(c.at),
      y: y(c.routes.find((r) => r.variant === arm)?.weightPercent ?? 0),
    }));
    const path = points.map((p, k) => (k === 0 ? `M${p.x} ${p.y}` : `H${p.x}V${p.y}`)).join('');
    return [
      `<path d="${path}H${endX}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      text(LEFT + 8 + i * 110, top + height + 32, `■ ${arm}`, `fill="${colour}"`),
    ];
  });
  const grid = [0, 25, 50, 75, 100].flatMap((p) => [
    gridLine(y(p)),
    text(LEFT - 8, y(p) + 4, `${p} %`, 'text-anchor="end" fill="#555555"'),
  ]);
  return [...grid, ...lines];
}

function evidenceLines(looks: readonly ReportPoint[], x: Scale): readonly string[] {
  const { top, height } = EVIDENCE;
  const names = [...new Set(looks.flatMap((l) => l.evidence.map((e) => e.metric)))];
  const thresholds = looks.flatMap((l) => l.evidence.map((e) => Math.log10(e.threshold))).filter(Number.isFinite);
  const highest = Math.max(1, ...thresholds) + ABOVE_THRESHOLD_DECADES;
  const lowest = -DECADES_BELOW_ONE;
  const y = (log: number): number => {
    const bounded = Math.min(highest, Math.max(lowest, log));
    return round(top + height * (1 - (bounded - lowest) / (highest - lowest)));
  };
  const grid = Array.from({ length: Math.floor(highest - lowest) + 1 }, (_, i) => lowest + i).flatMap((decade) => [
    gridLine(y(decade)),
    text(LEFT - 8, y(decade) + 4, decade < 0 ? `1/${10 ** -decade}` : String(10 ** decade), AXIS),
  ]);
  const lines = names.flatMap((name, i) => {
    const colour = COLOURS[i % COLOURS.length] ?? '#000000';
    const seen = looks.flatMap((l) => {
      const e = l.evidence.find((one) => one.metric === name);
      return e === undefined ? [] : [`${x(l.at)},${y(Math.log10(Math.max(e.eValue, Number.MIN_VALUE)))}`];
    });
    return [
      `<polyline points="${seen.join(' ')}" fill="none" stroke="${colour}" stroke-width="1.5"/>`,
      text(LEFT + 8 + (i % 5) * 170, top + height + 34 + Math.floor(i / 5) * 14, `■ ${name}`, `fill="${colour}"`),
    ];
  });
  const limit = thresholds.length === 0 ? [] : [thresholdLine(y(Math.max(...thresholds)))];
  return [
    text(LEFT, top - 10, 'evidence against the candidate (e-value)', 'fill="#555555"'),
    ...grid,
    ...limit,
    ...lines,
  ];
}

const AXIS = 'text-anchor="end" fill="#555555"';

function thresholdLine(y: number): string {
  return (
    `<path d="M${LEFT} ${y}H${LEFT + INNER}" stroke="#b00020" stroke-dasharray="6 4"/>` +
    text(LEFT + INNER - 4, y - 4, 'rolled back from here', 'text-anchor="end" fill="#b00020"')
  );
}

function timeAxis({ started_at, duration_ms }: RolloutReport, x: Scale): readonly string[] {
  const startMs = Date.parse(started_at);
  const bottom = EVIDENCE.top + EVIDENCE.height + 16;
  return [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const ms = startMs + duration_ms * share;
    const anchor = share === 0 ? 'start' : share === 1 ? 'end' : 'middle';
    const label = new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
    return text(x(ms), bottom, label, `text-anchor="${anchor}" fill="#555555"`);
  });
}

const gridLine = (y: number): string => `<path d="M${LEFT} ${y}H${LEFT + INNER}" stroke="#e6e6e6"/>`;

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${x}" y="${y}" ${attributes}>${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

const round = (value: number): number => Math.round(value * 10) / 10;
