import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createTerminal, type Streams } from '../../../cli/terminal/terminal.ts';
import { renderRollout } from '../../../cli/views/rollout.ts';
import type { Evidence } from '../../../domain/verdict.ts';
import { snapshot } from './support/answers.ts';

const NOW_MS = Date.parse('2026-03-01T09:30:31Z');

/** A rollout with everything that a screen has to hold. */
const evidence: readonly Evidence[] = [
  { metric: 'errorRate', observed: 0.0005, limit: 0.001, eValue: 14.142, threshold: 400, status: 'open' },
  { metric: 'p95', observed: 0.01, limit: 0.05, eValue: 0.0001, threshold: 400, status: 'healthy' },
  { metric: 'errorRateVsBaseline', observed: 0, baseline: 0, limit: 1, eValue: 0.9, threshold: 400, status: 'open' },
  {
    metric: 'slowVsBaseline',
    observed: 0.2,
    baseline: 0.05,
    limit: 1,
    eValue: 123_456,
    threshold: 400,
    status: 'breached',
  },
  { metric: 'scoreShift', observed: 0, limit: 0.2, eValue: 2e-46, threshold: 100, status: 'open', action: 'watch' },
];
const shown = snapshot({
  routes: [
    { variant: 'champion', version: 1, weightPercent: 80 },
    { variant: 'baseline', version: 1, weightPercent: 10 },
    { variant: 'candidate', version: 2, weightPercent: 10 },
  ],
  verdict: { kind: 'inconclusive', reason: 'not yet known: 0.05 % of 2,000 requests failed (limit 0.1 %)', evidence },
  samples: { candidate: 2_050, baseline: 2_061, champion: 16_400, shadowPairs: 0, step: 2_050, stepMin: 5_000 },
});

/** What is on a screen of this size after the rollout was drawn. */
function screen(columns: number, rows: number): readonly string[] {
  let written = '';
  const stdout = { isTTY: true, columns, rows, write: (text: string) => (written += text) };
  const streams = { stdin: { isTTY: true }, stdout, stderr: stdout } as unknown as Streams;
  const terminal = createTerminal(streams, { colour: true, unicode: true });
  terminal.redraw(renderRollout(shown, terminal, NOW_MS));
  return stripVTControlCharacters(written).replaceAll('\r', '').trimEnd().split('\n');
}

describe('the picture of a rollout', () => {
  it.each([
    [120, 40],
    [80, 24],
    [50, 40],
  ])('fits %i columns and %i rows with everything that matters', (columns, rows) => {
    const lines = screen(columns, rows);
    expect(lines.length).toBeLessThan(rows);
    for (const line of lines) expect(line.length).toBeLessThan(columns);
    const text = lines.join('\n').replace(/\s+/g, ' ');
    const whole = ['80 %', '10 %', '[10 %]', '14.14 of 400', '123,456 of 400', 'breached', 'healthy'];
    const words = ['candidate 2,050, baseline 2,061, champion 16,400', '2,050 of 5,000', 'at least 30 s in this step'];
    const next = ['version 2 answers 50 % of the requests', '30 s of watching'];
    for (const part of [...whole, ...words, ...next]) expect(text).toContain(part);
  });

  it('shows shares beside the evidence where there is room, and draws bars as long as fit', () => {
    expect(screen(120, 40).join('\n')).toContain('0.05 % (limit 0.1 %)');
    expect(screen(80, 24).join('\n')).not.toContain('(limit 0.1 %)  ');
    const bar = (columns: number) =>
      screen(columns, 40)
        .find((l) => l.includes('champion '))!
        .split(/[█░]/).length - 1;
    expect([bar(120), bar(80), bar(50)]).toEqual([30, 30, 22]);
  });
});
