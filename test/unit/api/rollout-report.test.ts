import { describe, expect, it } from 'vitest';
import type { LookRow } from '../../../db/rollout-ports.ts';
import { NOW_MS, ROLLOUT_ID, rollout } from './support/samples.ts';
import { createTestApp } from './support/test-app.ts';

const routes = (candidate: number) => [
  { variant: 'champion', version: 1, weightPercent: 100 - candidate } as const,
  { variant: 'candidate', version: 2, weightPercent: candidate } as const,
];

function look(i: number): LookRow {
  const counts = { requests: 100 * i, errors: i, slow: 0, latencySumMs: 1 };
  const evidence = {
    metric: 'errorRate' as const,
    observed: 0.01,
    limit: 0.001,
    eValue: 2 ** Math.min(i, 900),
    threshold: 200,
  };
  return {
    rolloutId: ROLLOUT_ID,
    lookAtMs: NOW_MS - 60_000 + i * 5_000,
    step: i < 5 ? 0 : 1,
    phase: 'running',
    weights: routes(5),
    counts: { candidate: counts, champion: counts },
    verdict: { kind: i < 8 ? 'inconclusive' : 'rollback', reason: '1 % | failed', evidence: [evidence] },
  };
}

async function withReport(looks: number) {
  const t = await createTestApp();
  t.world.rollouts = [{ ...rollout(new Date(NOW_MS)), phase: 'rolledBack', reason: 'errors <b> | more' }];
  t.world.looks = Array.from({ length: looks }, (_, i) => look(i));
  const entry = { model: 'leavers', salt: 's', rolloutId: ROLLOUT_ID, changedBy: 'key:ann', evidence: null };
  t.world.ledger = [
    {
      ...entry,
      generation: 4,
      routes: routes(5),
      reason: 'step 1',
      validFrom: new Date(NOW_MS - 60_000),
      validTo: null,
    },
    {
      ...entry,
      generation: 5,
      routes: routes(0),
      reason: 'back',
      evidence: look(9).verdict,
      validFrom: new Date(NOW_MS - 5_000),
      validTo: null,
    },
  ];
  return (format: string) => t.call('GET', `/rollouts/${ROLLOUT_ID}/report?format=${format}`, { key: 'monitor' });
}

describe('the report of a rollout', () => {
  it('says who decided what, when and on what evidence', async () => {
    const report = await withReport(10);
    const { json } = await report('json');
    expect(json).toMatchObject({ outcome: 'rolledBack', duration_ms: 60_000, verdict: { kind: 'rollback' } });
    expect(json.changes).toMatchObject([{ reason: 'step 1' }, { reason: 'back' }]);
    expect(json.changes[1].evidence.kind).toBe('rollback');
    expect(json.looks).toHaveLength(10);
    expect(json.looks[9]).toMatchObject({ requests: { candidate: 900 }, evidence: [{ eValue: 512, threshold: 200 }] });
  });

  it('is text for people, in which a reason is no markup, with the plot inside', async () => {
    const report = await withReport(10);
    const { text, headers } = await report('md');
    expect(headers.get('content-type')).toContain('text/markdown');
    expect(text).toContain('Version 2 was rolled back (canary, against version 1): errors \\<b\\> \\| more.');
    expect(text).toMatch(/!\[.*\]\(data:image\/svg\+xml;base64,[A-Za-z0-9+/=]+\)/);
    for (const line of text.split('\n').filter((l) => l.startsWith('| 20'))) {
      expect(line.replaceAll('\\|', '').split('|')).toHaveLength(8);
    }
  });

  it('is a plot of finite numbers, with a line for each arm and metric', async () => {
    const report = await withReport(10);
    const { text, headers } = await report('svg');
    expect(headers.get('content-type')).toBe('image/svg+xml');
    expect(text).not.toMatch(/NaN|Infinity|undefined/);
    for (const name of ['champion', 'candidate', 'errorRate', 'rolled back from here']) expect(text).toContain(name);
    expect(text.match(/<polyline points="([^"]*)"/)?.[1]?.split(' ')).toHaveLength(10);
  });

  it('is there for a rollout that nobody looked at, and short for one that was looked at for a month', async () => {
    const empty = await withReport(0);
    expect((await empty('svg')).text).not.toMatch(/NaN|Infinity|undefined/);
    expect((await empty('md')).status).toBe(200);
    const long = await withReport(7_000);
    expect((await long('json')).json.looks.length).toBeLessThanOrEqual(1_002);
  });
});
