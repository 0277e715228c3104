import { judgePolicy, observationOf } from '../domain/judge.ts';
import type { RolloutActivities } from './contract.ts';
import type { ActivityDeps } from './deps.ts';
import { openRollout } from './open-rollout.ts';

/** The effects of a rollout; each is a success when it is done again. */
export function createRolloutActivities(deps: ActivityDeps): RolloutActivities {
  const { registry, judge } = deps;
  return {
    openRollout: (input) => openRollout(deps, input),

    applyRouting: async ({ model, rolloutId, salt, slowMs, change }) => {
      const { routes, by, reason } = change;
      let { expectedGeneration } = change;
      if (change.purpose === 'restore') {
        // A change of this very rollout may be in force although its answer was lost: the way back goes over it too.
        const current = await registry.routing.find(model);
        if (current?.rolloutId === rolloutId) expectedGeneration = current.generation;
      }
      const changeId = `${rolloutId}/${change.ordinal}`;
      const write = {
        model,
        expectedGeneration,
        changeId,
        salt,
        rolloutId: change.rolloutId,
        routes,
        slowMs,
        by,
        reason,
      };
      const { generation } = await registry.routing.apply(write);
      return { generation };
    },

    setAliases: ({ model, rolloutId, change }) =>
      registry.versions.setAliases(model, change.aliases, change.by, `${rolloutId}/${change.ordinal}`),

    observe: async ({ rolloutId, sinceMs, plan }) => {
      const observation = await registry.records.observe(rolloutId, sinceMs);
      return { observation, verdict: judge(observationOf(observation), judgePolicy(plan)) };
    },

    awaitAdoption: ({ generation }) => Promise.resolve({ generation, adopted: true, waitingFor: [] }),
    probeWarm: () => Promise.resolve({ warm: true, waitingFor: [] }),
    quarantine: ({ model, version }) => registry.versions.settle(model, version, 'quarantined'),
    notify: () => Promise.resolve(),

    saveProgress: ({ rolloutId, snapshot }) => registry.rollouts.progress(rolloutId, snapshot),

    closeRollout: ({ rolloutId, snapshot, reason }) => registry.rollouts.close(rolloutId, snapshot, reason),
  };
}
