import type { HealthAnswer } from '../api/answers.ts';
import { formatDuration, formatNumber } from '../terminal/format.ts';
import { renderTable } from '../terminal/table.ts';
import type { Terminal } from '../terminal/terminal.ts';

/** One line a service; anything that is not well is painted, and says why. */
export function renderHealth(health: HealthAnswer, terminal: Terminal): readonly string[] {
  const { style } = terminal;
  const paint = (word: string): string => (word === 'ok' || word === 'up' ? style.green(word) : style.red(word));
  const api = `up ${formatDuration(health.uptime_s * 1000)}, ${formatNumber(health.memory_mb)} MB`;
  const rows = Object.entries(health.dependencies).map(([name, { status, latency_ms: latencyMs, message }]) => [
    name,
    paint(status),
    `${latencyMs.toFixed(1)} ms`,
    message ?? '',
  ]);
  const { queued, dropped } = health.records;
  return [
    ...renderTable(
      [{ title: 'service' }, { title: 'state' }, { title: 'latency', align: 'right' }, { title: '', shrink: true }],
      [['api', paint(health.status), '', [api, ...health.reasons].join('; ')], ...rows],
      style,
      terminal.width,
    ),
    `Predictions waiting to be recorded: ${formatNumber(queued)}${dropped === 0 ? '' : style.red(`; lost: ${formatNumber(dropped)}`)}`,
  ];
}
