import { Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import { NEXT_ACTIONS, ROLLOUT_PHASES } from '../domain/rollout/state.ts';
import type { RolloutSnapshot } from '../domain/rollout/state.ts';
import { VARIANTS } from '../domain/routing.ts';

/** The open rollouts as `GET /rollouts/{id}` shows them. */
export type RolloutGauges = readonly RolloutSnapshot[];

export interface RolloutMetrics {
  /** In the primary alone: gauges of several processes would be added up. */
  watchRollouts(read: () => RolloutGauges): void;
}

export function createRolloutMetrics(registry: Registry): RolloutMetrics {
  return { watchRollouts: (read) => watch(registry, read) };
}

function watch(registry: Registry, read: () => RolloutGauges): void {
  const gauge = <L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    set: (gauge: Gauge<'model' | L>, rollout: RolloutSnapshot) => void,
  ) =>
    new Gauge<'model' | L>({
      name,
      help,
      labelNames: ['model', ...labelNames],
      registers: [registry],
      collect() {
        // What ended is gone from the next scrape.
        this.reset();
        for (const rollout of read()) set(this, rollout);
      },
    });
  gauge('rollout_phase', '1 at the phase that the open rollout is in', ['phase'], (g, { model, phase }) => {
    for (const name of ROLLOUT_PHASES) g.set({ model, phase: name }, name === phase ? 1 : 0);
  });
  gauge('rollout_step', 'Index of the step, from 0', [], (g, { model, stepIndex }) => g.set({ model }, stepIndex));
  gauge(
    'rollout_weight_percent',
    'Share of traffic that the rollout gives, by variant',
    ['variant'],
    (g, { model, routes }) => {
      for (const variant of VARIANTS) {
        g.set({ model, variant }, routes.find((r) => r.variant === variant)?.weightPercent ?? 0);
      }
    },
  );
  watchEvidence(gauge);
  gauge('rollout_samples', 'Requests counted since the rollout began, by arm', ['arm'], (g, { model, samples }) => {
    if (samples === undefined) return;
    const { candidate, baseline, champion, shadowPairs } = samples;
    for (const [arm, count] of Object.entries({ candidate, baseline, champion, shadowPairs })) {
      g.set({ model, arm }, count);
    }
  });
  watchWait(gauge);
}

type MakeGauge = <L extends string>(
  name: string,
  help: string,
  labelNames: readonly L[],
  set: (gauge: Gauge<'model' | L>, rollout: RolloutSnapshot) => void,
) => unknown;

/** How far the step is, when it may end, and what follows. */
function watchWait(gauge: MakeGauge): void {
  gauge('rollout_step_samples', 'Requests of the candidate in this step', [], (g, { model, samples }) => {
    if (samples !== undefined) g.set({ model }, samples.step);
  });
  gauge('rollout_step_samples_min', 'Requests that the step takes at least', [], (g, { model, samples }) => {
    if (samples !== undefined) g.set({ model }, samples.stepMin);
  });
  const ends = 'Earliest end of the step, Unix time; absent while a person is waited for';
  gauge('rollout_step_ends_timestamp_seconds', ends, [], (g, { model, stepEndsAtMs }) => {
    if (stepEndsAtMs !== null) g.set({ model }, stepEndsAtMs / 1000);
  });
  gauge('rollout_next_action', '1 at what comes when the wait is over', ['action'], (g, { model, next }) => {
    for (const action of NEXT_ACTIONS) g.set({ model, action }, next?.action === action ? 1 : 0);
  });
}

/** The rollout goes back when the first reaches the second; a step is shown healthy by the third. */
function watchEvidence(gauge: MakeGauge): void {
  const each = (name: string, help: string, value: (e: Shown) => number | undefined) =>
    gauge(name, help, ['metric', 'event'], (g, { model, eValues = [] }) => {
      for (const shown of eValues) {
        const { metric, event = '' } = shown;
        const found = value(shown);
        if (found !== undefined) g.set({ model, metric, event }, found);
      }
    });
  each('rollout_e_value', 'Evidence against the candidate, by metric', (e) => e.eValue);
  each('rollout_e_value_threshold', 'Evidence that a rollback takes, by metric', (e) => e.threshold);
  each('rollout_health_e_value', 'Evidence that the candidate is within its limit', (e) => e.healthEValue);
}

type Shown = NonNullable<RolloutSnapshot['eValues']>[number];
