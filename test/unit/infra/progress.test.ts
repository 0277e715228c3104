import { describe, expect, it, vi } from 'vitest';
import { createProgress } from '../../../infra/platform/progress.ts';

function capture(isTTY: boolean, columns = 60) {
  let text = '';
  return { output: { write: (part: string) => (text += part), isTTY, columns }, text: () => text };
}

describe('progress without a terminal', () => {
  it('prints plain lines: the start, what changes, that it still runs, the end', () => {
    vi.useFakeTimers();
    try {
      const { output, text } = capture(false);
      const progress = createProgress(output);
      const step = progress.step('Database');
      vi.advanceTimersByTime(2_000);
      step.update('making it');
      step.update('making it more');
      vi.advanceTimersByTime(20_000);
      step.done('port 1');
      step.done('again');
      progress.close();
      expect(text()).not.toContain('\u001b');
      const lines = text().trimEnd().split('\n');
      expect(lines[0]).toMatch(/Database\s+starting/);
      expect(lines[1]).toMatch(/making it {2}2\.0 s/);
      expect(lines[2]).toMatch(/making it more/);
      expect(lines.at(-1)).toMatch(/^\+ Database\s+port 1 {2}22\.0 s/);
      expect(lines).toHaveLength(5);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('progress on a terminal', () => {
  it('draws running steps in place, never wider than the terminal, and leaves finished ones above', () => {
    const { output, text } = capture(true, 40);
    const progress = createProgress(output);
    const one = progress.step('One');
    progress.step('Two');
    one.update('x'.repeat(100));
    one.done('ready');
    progress.close();
    // eslint-disable-next-line no-control-regex
    const visible = text().replaceAll(/\u001b\[[0-9]*[A-Z]|\r/g, '');
    for (const line of visible.split('\n')) expect(line.length).toBeLessThanOrEqual(40);
    expect(text()).toContain('\u001b[2A');
    expect(visible).toMatch(/\+ One\s+ready/);
  });
});
