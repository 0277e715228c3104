import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { InstanceRow } from '../db/rollout-ports.ts';
import type { Adoption } from '../domain/rollout/state.ts';
import type { RolloutActivities } from './contract.ts';
import type { ActivityDeps } from './deps.ts';

/** Processes report every 5 s: one that was not heard of for longer than this is gone, and nobody waits for it. */
const SEEN_WITHIN_MS = 15_000;
const POLL_MS = 100;
/** Names shown of those that are waited for. */
const NAMES_MAX = 5;

type Deps = Pick<ActivityDeps, 'registry' | 'nowMs'>;

/** Whether every serving process follows the generation. */
export async function adoptionOf({ registry, nowMs }: Deps, model: string, generation: number): Promise<Adoption> {
  const rows = await registry.instances.serving(model, nowMs() - SEEN_WITHIN_MS);
  const behind = rows.filter((r) => r.generation < generation);
  return { generation, adopted: behind.length === 0, waitingFor: names(behind) };
}

export function createAdoptionActivities(deps: Deps): Pick<RolloutActivities, 'awaitAdoption' | 'probeWarm'> {
  return {
    awaitAdoption: async ({ model, generation, timeoutMs }) => {
      const { cancellationSignal } = Context.current();
      const endsAtMs = deps.nowMs() + timeoutMs;
      for (;;) {
        const adoption = await adoptionOf(deps, model, generation);
        if (adoption.adopted || deps.nowMs() >= endsAtMs) return adoption;
        await sleep(POLL_MS, undefined, { signal: cancellationSignal });
      }
    },
    probeWarm: async ({ model, version }) => {
      const rows = await deps.registry.instances.serving(model, deps.nowMs() - SEEN_WITHIN_MS);
      const cold = rows.filter((r) => !r.warmVersions.includes(version));
      return { warm: cold.length === 0, waitingFor: names(cold) };
    },
  };
}

function names(rows: readonly InstanceRow[]): readonly string[] {
  const shown = rows.slice(0, NAMES_MAX).map((r) => r.instance);
  return rows.length > NAMES_MAX ? [...shown, `and ${rows.length - NAMES_MAX} more`] : shown;
}
