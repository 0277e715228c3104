import { readFileSync } from 'node:fs';
import { parser } from '@prometheus-io/lezer-promql';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createMetrics } from '../../../adapters/metrics.ts';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

interface Story {
  readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts?: readonly unknown[] }[];
}

const readYaml = (name: string): unknown =>
  parse(readFileSync(new URL(`../../../infra/prometheus/${name}`, import.meta.url), 'utf8'));
const { groups } = readYaml('alerts.yml') as { groups: readonly { name: string; rules: readonly Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);

/** What Prometheus' own grammar makes of an expression: the metrics that it asks for, and how many errors it has. */
function read(expr: string): { readonly metrics: readonly string[]; readonly errors: number } {
  const metrics: string[] = [];
  let errors = 0;
  parser.parse(expr).iterate({
    enter: ({ name, type, from, to, node }) => {
      if (type.isError) errors += 1;
      if (name === 'Identifier' && node.parent?.name === 'VectorSelector') metrics.push(expr.slice(from, to));
    },
  });
  return { metrics, errors };
}

async function ownMetrics(): Promise<string> {
  const metrics = createMetrics();
  metrics.watchRecovery(() => null);
  metrics.watchRegion(() => null);
  return metrics.text();
}

describe('the rules for Prometheus', () => {
  it('have names of their own', () => {
    expect(rules.length).toBeGreaterThan(0);
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  });

  it.each(rules)('$alert: is an expression over metrics that there are, and says what to do', async (rule) => {
    const { metrics, errors } = read(rule.expr);
    expect(errors, rule.expr).toBe(0);
    expect(metrics.length).toBeGreaterThan(0);
    const there = await ownMetrics();
    for (const name of metrics) expect(there).toMatch(new RegExp(`^# TYPE ${name} gauge$`, 'm'));
    expect(rule.for ?? '1m').toMatch(/^\d+[smhd]$/);
    expect(rule.labels['severity']).toMatch(/^(critical|warning)$/);
    expect(Object.keys(rule.annotations).sort()).toEqual(['description', 'summary']);
  });

  it('each fire in a story that promtool is told', () => {
    const { tests } = readYaml('alerts.test.yml') as { tests: readonly Story[] };
    const told = tests.flatMap((story) => story.alert_rule_test).filter(({ exp_alerts: fired }) => fired !== undefined);
    const names = new Set(told.map(({ alertname }) => alertname));
    expect(rules.map(({ alert }) => alert).filter((name) => !names.has(name))).toEqual([]);
  });

  it('would be refused with an expression that is none', () => {
    expect(read('wal_lag_seconds > ').errors).toBeGreaterThan(0);
  });
});
