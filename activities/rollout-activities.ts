import type { RolloutActivities } from './contract.ts';
import type { ActivityDeps } from './deps.ts';
import { openRollout } from './open-rollout.ts';
import { createAdoptionActivities } from './rollout-adoption.ts';
import { lookAt } from './rollout-look.ts';

/** The effects of a rollout; each is a success when it is done again. */
export function createRolloutActivities(deps: ActivityDeps): RolloutActivities {
  const { registry } = deps;
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
        evidence: change.evidence,
      };
      const { generation } = await registry.routing.apply(write);
      return { generation };
    },

    setAliases: ({ model, rolloutId, change }) =>
      registry.versions.setAliases(model, change.aliases, change.by, `${rolloutId}/${change.ordinal}`),

    observe: (input) => lookAt(deps, input),

    ...createAdoptionActivities(deps),

    quarantine: ({ model, version, by, reason }) =>
      registry.versions.settle(model, version, 'quarantined', { by, reason }),

    notify: (notice) => deps.notify(notice),

    saveProgress: ({ rolloutId, snapshot }) => registry.rollouts.progress(rolloutId, snapshot),

    closeRollout: ({ rolloutId, snapshot, reason }) => registry.rollouts.close(rolloutId, snapshot, reason),
  };
}
