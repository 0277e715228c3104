import { closedUntil } from '../domain/calendar.ts';
import { judgePolicy } from '../domain/judge.ts';
import { addCounts, NO_COUNTS } from '../domain/records.ts';
import type { ObservedSums } from '../domain/rollout/events.ts';
import type { CompletePlan } from '../domain/rollout/plan.ts';
import type { Hold } from '../domain/rollout/state.ts';
import type { Arm, Observation } from '../domain/verdict.ts';
import type { Look, RolloutActivities } from './contract.ts';
import type { ActivityDeps } from './deps.ts';
import { adoptionOf } from './rollout-adoption.ts';

type LookInput = Parameters<RolloutActivities['observe']>[0];

/** Reads, judges and records; the windows stay here, as histories must stay small. */
export async function lookAt(deps: ActivityDeps, input: LookInput): Promise<Look> {
  const { registry, judge } = deps;
  const { rolloutId, model, sinceMs, lookAtMs, plan, stepIndex: step, phase, routes: weights } = input;
  const seen = await registry.records.observe(rolloutId, sinceMs);
  const verdict = judge(seen, judgePolicy(plan));
  const observation = sumsOf(seen);
  const { candidate, champion, baseline = NO_COUNTS } = observation;
  const counts = { candidate, baseline, champion };
  await registry.looks.record({ rolloutId, lookAtMs, step, phase, weights, counts, verdict });
  return {
    observation,
    verdict,
    hold: await holdOf(deps, plan),
    triggers: (await registry.controls.triggers(model, sinceMs)).map(({ kind, reason, by }) => ({ kind, reason, by })),
    adoption: await adoptionOf(deps, model, input.generation),
    listening: await isListening(deps),
  };
}

/** Why no step may be taken now: somebody stopped the line, or the calendar is closed. */
export async function holdOf({ registry, nowMs }: ActivityDeps, plan: CompletePlan): Promise<Hold | null> {
  const line = await registry.controls.stopTheLine();
  if (line.active) return { kind: 'stopTheLine', reason: `${line.reason} (${line.by})`, untilMs: null };
  const closed = plan.calendar === null ? null : closedUntil(plan.calendar, nowMs());
  return closed === null ? null : { kind: 'calendar', ...closed };
}

export async function isListening({ registry }: ActivityDeps): Promise<boolean> {
  return (await registry.webhooks.list()).length > 0;
}

/** Per arm where the windows are known: the sums count the baseline among the champion's. */
function sumsOf({ candidate, champion, windows, byWindow, shadow }: Observation): ObservedSums {
  const arm = (name: Arm) => byWindow.map((w) => w.counts[name]).reduce(addCounts, NO_COUNTS);
  const known = byWindow.length > 0;
  return {
    candidate,
    champion: known ? arm('champion') : champion,
    baseline: arm('baseline'),
    windows,
    shadowPairs: shadow?.pairs ?? 0,
  };
}
