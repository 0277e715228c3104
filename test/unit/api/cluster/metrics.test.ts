import { describe, expect, it, vi } from 'vitest';
import { createMetrics } from '../../../../adapters/metrics.ts';
import { addUpModels } from '../../../../api/cluster/add-up-models.ts';
import { createFleetAnswers } from '../../../../api/cluster/fleet-answers.ts';
import type { ServingProcess } from '../../../../api/cluster/fleet.ts';
import { createSharedAnswer } from '../../../../api/cluster/shared-answer.ts';

type Handler = (body: unknown) => unknown;
const NO_JOURNAL = { bytes: 0, waiting: 0, lagSeconds: 0, shipped: 0, dropped: 0, rejected: 0, failing: false };

/** A process with metrics of its own; `handlers` are what the primary answers to it. */
function createProcess() {
  const metrics = createMetrics({ defaults: false });
  const handlers = new Map<string, Handler>();
  const asked: string[] = [];
  const link = {
    ask: (topic: string): Promise<never> => {
      asked.push(topic);
      // As over the channel: nothing but JSON gets through.
      const reply =
        topic === 'metrics' ? metrics.snapshot().then((s) => JSON.parse(JSON.stringify(s)) as unknown) : null;
      return Promise.resolve(reply as never);
    },
    answer: (topic: string, handler: Handler) => void handlers.set(topic, handler),
  };
  const process = { pid: 1, link } as unknown as ServingProcess;
  return { metrics, handlers, asked, process };
}

function createPrimary(count: number) {
  const members = Array.from({ length: count }, createProcess);
  const serving = members.map((member) => member.process);
  const fleet = { serving: () => serving, crashes: () => 0 };
  const answers = createFleetAnswers({
    fleet,
    metrics: createMetrics({ defaults: false }),
    journal: () => NO_JOURNAL,
    losses: { note: () => undefined, totals: () => ({ spilled: 0, lost: 0 }) },
  });
  for (const process of serving) answers.serve(process);
  const text = async () => (await members[0]!.handlers.get('metricsText')?.(null)) as string;
  return { members, serving, answers, text };
}

describe('metrics over all processes', () => {
  it('add up counts and buckets, and show what lags', async () => {
    const { members, text } = createPrimary(2);
    members.forEach(({ metrics }, i) => {
      metrics.observe('m', 1, 'champion', 'ok', 0.2);
      metrics.observe('m', 1, 'champion', 'ok', i === 0 ? 0.2 : 40);
      metrics.answered('m', 'low');
      metrics.watchServing(() => ({
        ready: i === 0,
        recordsQueued: 3,
        recordsDropped: 0,
        models: [{ model: 'm', generation: 7 - i, routes: [{ variant: 'champion', version: 1, weightPercent: 100 }] }],
      }));
    });
    const shown = await text();
    const labels = 'model="m",model_version="1",variant="champion"';
    expect(shown).toContain(`predictions_total{${labels},status="ok"} 4`);
    expect(shown).toContain(`prediction_latency_seconds_bucket{le="0.00025",${labels}} 3`);
    expect(shown).toContain(`prediction_latency_seconds_bucket{le="+Inf",${labels}} 4`);
    expect(shown).toContain('ml_predictions_total{model="m",risk="low"} 2');
    expect(shown).toContain('prediction_records_queued 6');
    expect(shown).toContain('serving_ready 0');
    expect(shown).toContain('routing_generation{model="m"} 6');
    expect(shown).toContain(`routing_weight_percent{${labels}} 100`);
  });

  it('never fall when a process goes', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { members, serving, answers, text } = createPrimary(2);
    const again = async () => {
      await vi.advanceTimersByTimeAsync(1_001);
      return text();
    };
    for (const { metrics } of members)
      metrics.request({ method: 'POST', route: '/p', status: 200, durationMs: 1, error: null });
    const line = (count: number) => `ml_api_requests_total{method="POST",route="/p",status="200"} ${count}`;
    expect(await text()).toContain(line(2));
    const [gone] = serving.splice(1, 1);
    answers.forget(gone!);
    expect(await again()).toContain(line(2));
    members[0]!.metrics.request({ method: 'POST', route: '/p', status: 200, durationMs: 1, error: null });
    const shown = await again();
    expect(shown).toContain(line(3));
    expect(shown).toContain('ml_api_request_duration_seconds_count{method="POST",route="/p"} 3');
    vi.useRealTimers();
  });

  it('leave out a process that does not answer', async () => {
    const { members, serving, text } = createPrimary(2);
    members[0]!.metrics.answered('m', 'low');
    (serving[1] as { link: { ask: unknown } }).link.ask = () => Promise.reject(new Error('late'));
    expect(await text()).toContain('ml_predictions_total{model="m",risk="low"} 1');
  });

  it('are asked once, however many scrape', async () => {
    const { members, text } = createPrimary(2);
    await Promise.all([text(), text(), text()]);
    await text();
    expect(members[1]!.asked).toEqual(['metrics']);
  });

  it('news of a changed key goes to the others', async () => {
    const { members } = createPrimary(3);
    await members[0]!.handlers.get('keysChanged')?.(null);
    expect(members.map((m) => m.asked)).toEqual([[], ['refreshKeys'], ['refreshKeys']]);
  });
});

describe('a shared answer', () => {
  it('is not kept when it failed', async () => {
    const make = vi.fn<() => Promise<number>>().mockRejectedValueOnce(new Error('no')).mockResolvedValue(7);
    const ask = createSharedAnswer(make, 1_000);
    await expect(ask()).rejects.toThrow('no');
    expect(await ask()).toBe(7);
    expect(await ask()).toBe(7);
    expect(make).toHaveBeenCalledTimes(2);
  });
});

describe('the models of all processes', () => {
  const counts = (requests: number) => ({ requests, errors: 0, slow: 0, latencySumMs: requests });
  const routes = (version: number, requests: number) => [
    { variant: 'champion', version, weightPercent: 100, counts: counts(requests), breaker: 'closed' } as const,
  ];

  it('show the newest routing, with the counts of all that answered for it', () => {
    const processes = [
      [{ model: 'm', generation: 2, routes: routes(2, 5) }],
      [{ model: 'm', generation: 1, routes: routes(1, 100) }],
      [{ model: 'm', generation: 2, routes: routes(2, 7) }],
    ];
    expect(addUpModels(processes)).toMatchObject([
      { model: 'm', generation: 2, routes: [{ version: 2, counts: { requests: 12, latencySumMs: 12 } }] },
    ]);
  });
});
