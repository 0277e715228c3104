import { Registry } from 'prom-client';
import { describe, expect, it, vi } from 'vitest';
import { createMetrics } from '../../../adapters/metrics.ts';
import type { RolloutSnapshot } from '../../../domain/rollout/state.ts';
import { watchOpenRollouts } from '../../../api/cluster/watch-open-rollouts.ts';
import { createRolloutMetrics } from '../../../adapters/rollout-metrics.ts';
import { rollout, row, snapshot } from './support/samples.ts';
import { createTestApp } from './support/test-app.ts';

describe('GET /metrics', () => {
  it('counts requests by route, answers by risk, and shows the routing', async () => {
    const { call } = await createTestApp();
    await call('POST', '/predict', { body: row });
    await call('POST', '/predict', { body: {} });
    await call('POST', '/predict', { key: null, body: row });
    await call('GET', '/models/nobody');
    await call('GET', '/some/made/up/path');
    const { text, headers } = await call('GET', '/metrics', { key: null });
    expect(headers.get('content-type')).toMatch(/^text\/plain/);
    expect(text).toContain('ml_api_requests_total{method="POST",route="/predict",status="200"} 1');
    expect(text).toContain('ml_api_requests_total{method="POST",route="/predict",status="422"} 1');
    expect(text).toContain('ml_api_errors_total{method="POST",route="/predict",error="unauthenticated"} 1');
    expect(text).toContain('ml_api_requests_total{method="GET",route="/models/{model}",status="404"} 1');
    expect(text).toContain('ml_api_requests_total{method="GET",route="unmatched",status="404"} 1');
    expect(text).toContain('ml_api_request_duration_seconds_count{method="POST",route="/predict"} 3');
    expect(text).toContain('ml_predictions_total{model="leavers",risk="high"} 1');
    expect(text).toContain('routing_generation{model="leavers"} 4');
    expect(text).toContain('routing_weight_percent{model="leavers",model_version="1",variant="champion"} 100');
    expect(text).toContain('prediction_records_queued 2');
    expect(text).toContain('serving_ready 1');
    expect(text).not.toContain('made/up');
  });
});

describe('the metrics of predictions', () => {
  it('carry model, version, variant and status, and leave refused rows out of the latency', async () => {
    const metrics = createMetrics({ defaults: false });
    metrics.observe('m', 2, 'candidate', 'ok', 3);
    metrics.observe('m', 2, 'candidate', 'ok', 0.05);
    metrics.observe('m', 2, 'candidate', 'error', 30);
    metrics.observe('m', 2, 'candidate', 'invalid', 0.01);
    metrics.batchSize(7);
    const text = await metrics.text();
    const labels = 'model="m",model_version="2",variant="candidate"';
    expect(text).toContain(`predictions_total{${labels},status="ok"} 2`);
    expect(text).toContain(`predictions_total{${labels},status="invalid"} 1`);
    expect(text).toContain(`prediction_latency_seconds_bucket{le="0.0001",${labels}} 1`);
    expect(text).toContain(`prediction_latency_seconds_bucket{le="0.005",${labels}} 2`);
    expect(text).toContain(`prediction_latency_seconds_count{${labels}} 3`);
    expect(text).toContain('prediction_batch_size_sum 7');
  });

  it('of two processes in one do not meet', async () => {
    createMetrics();
    const second = createMetrics();
    expect(await second.text()).toContain('process_resident_memory_bytes');
  });
});

describe('GET /router/metrics', () => {
  it('shows generation, routes and counts', async () => {
    const { call } = await createTestApp();
    const { json } = await call('GET', '/router/metrics', { key: 'monitor' });
    expect(json).toEqual({
      models: [
        {
          model: 'leavers',
          generation: 4,
          routes: [
            {
              variant: 'champion',
              version: 1,
              weightPercent: 100,
              counts: { requests: 10, errors: 0, slow: 1, latencySumMs: 12 },
              breaker: 'closed',
            },
          ],
        },
      ],
    });
  });
});

describe('the metrics of rollouts', () => {
  const judged: RolloutSnapshot = {
    ...snapshot,
    phase: 'running' as const,
    routes: [
      { variant: 'champion' as const, version: 1, weightPercent: 90 },
      { variant: 'baseline' as const, version: 1, weightPercent: 5 },
      { variant: 'candidate' as const, version: 2, weightPercent: 5 },
    ],
    eValues: [
      { metric: 'errorRate' as const, eValue: 12.5, threshold: 300, healthEValue: 4 },
      { metric: 'outcome' as const, event: 'complaint', eValue: 0.5, threshold: 300 },
    ],
    stepEndsAtMs: 1_750_000_000_000,
    next: { action: 'step', weightPercent: 25, atMs: null },
    samples: { candidate: 70, baseline: 71, champion: 900, shadowPairs: 0, step: 20, stepMin: 100 },
  };

  it('are the numbers of the snapshot', async () => {
    const registry = new Registry();
    let open = [judged];
    createRolloutMetrics(registry).watchRollouts(() => open);
    const text = await registry.metrics();
    const { model } = judged;
    for (const line of [
      `rollout_weight_percent{model="${model}",variant="candidate"} 5`,
      `rollout_weight_percent{model="${model}",variant="baseline"} 5`,
      `rollout_weight_percent{model="${model}",variant="shadow"} 0`,
      `rollout_phase{model="${model}",phase="running"} 1`,
      `rollout_phase{model="${model}",phase="paused"} 0`,
      `rollout_e_value{model="${model}",metric="errorRate",event=""} 12.5`,
      `rollout_e_value_threshold{model="${model}",metric="outcome",event="complaint"} 300`,
      `rollout_health_e_value{model="${model}",metric="errorRate",event=""} 4`,
      `rollout_samples{model="${model}",arm="champion"} 900`,
      `rollout_step_samples{model="${model}"} 20`,
      `rollout_step_samples_min{model="${model}"} 100`,
      `rollout_step_ends_timestamp_seconds{model="${model}"} 1750000000`,
      `rollout_next_action{model="${model}",action="step"} 1`,
      `rollout_next_action{model="${model}",action="person"} 0`,
    ]) {
      expect(text.split('\n')).toContain(line);
    }
    expect(text).not.toContain('rollout_health_e_value{model="leavers",metric="outcome"');
    open = [];
    expect(await registry.metrics()).not.toContain(model);
  });

  it('come of the open rollouts alone, and are gone while the database is', async () => {
    const ended = { ...rollout(new Date()), snapshot: judged };
    const list = vi.fn(() => Promise.resolve([ended, { ...rollout(null), snapshot: judged }]));
    const warn = vi.fn();
    const log = { info: warn, warn, error: warn, fatal: warn, debug: warn };
    const live = { ...judged, weightPercent: 25 };
    const status = vi.fn<(model: string) => Promise<RolloutSnapshot | null>>(() => Promise.resolve(live));
    const watched = watchOpenRollouts({ rollouts: { list }, status, log, everyMs: 5 });
    await vi.waitFor(() => expect(watched.snapshots()).toEqual([live]));
    // No worker answers, or the model is on to another rollout: what was recorded will do.
    status.mockResolvedValue(null);
    await vi.waitFor(() => expect(watched.snapshots()).toEqual([judged]));
    status.mockResolvedValue({ ...live, rolloutId: 'another' });
    await vi.waitFor(() => expect(watched.snapshots()).toEqual([judged]));
    status.mockRejectedValue(new Error('Temporal is away'));
    await vi.waitFor(() => expect(watched.snapshots()).toEqual([judged]));
    list.mockRejectedValue(new Error('gone'));
    await vi.waitFor(() => expect(watched.snapshots()).toEqual([]));
    await vi.waitFor(() => expect(list.mock.calls.length).toBeGreaterThan(4));
    expect(warn).toHaveBeenCalledTimes(1);
    watched.close();
  });
});
