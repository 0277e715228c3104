import { decide } from '../../../domain/rollout/machine.ts';
import { openState, type RolloutFacts } from '../../../domain/rollout/open-state.ts';
import type {
  ApprovalOrder,
  Observed,
  OrderName,
  RolloutCommand,
  RolloutEvent,
  RolloutState,
} from '../../../domain/rollout/events.ts';
import { evidenceHash } from '../../../domain/rollout/approvals.ts';
import type { RolloutPlan } from '../../../domain/rollout/plan.ts';
import { NO_COUNTS } from '../../../domain/records.ts';
import type { Verdict } from '../../../domain/verdict.ts';

export const CANARY: RolloutPlan = {
  strategy: 'canary',
  steps: [
    { weightPercent: 5, bakeTimeMs: 60_000 },
    { weightPercent: 25, bakeTimeMs: 60_000 },
    { weightPercent: 100, bakeTimeMs: 0 },
  ],
  limits: { errorRateMax: 0.001, p95MsMax: 120 },
  minRequests: 100,
  advance: 'noHarm',
  baseline: false,
  observeEveryMs: 10_000,
  keepWarmMs: 600_000,
};

export const BLUE_GREEN: RolloutPlan = {
  ...CANARY,
  strategy: 'blue-green',
  steps: [0, 10, 50, 100].map((weightPercent) => ({ weightPercent, bakeTimeMs: 30_000 })),
};

export const ALL_AT_ONCE: RolloutPlan = {
  ...CANARY,
  strategy: 'all-at-once',
  steps: [{ weightPercent: 100, bakeTimeMs: 0 }],
};

export function facts(change: Partial<RolloutFacts> = {}): RolloutFacts {
  return {
    rolloutId: '11111111-1111-4111-8111-111111111111',
    model: 'prices',
    candidate: 7,
    champion: 4,
    previous: 2,
    plan: CANARY,
    generation: 12,
    routes: [{ variant: 'champion', version: 4, weightPercent: 100 }],
    salt: 'salt-1',
    requestedBy: 'alice',
    nowMs: 0,
    ...change,
  };
}

export const VERDICTS: Readonly<Record<Verdict['kind'] | 'uneven', Verdict>> = {
  uneven: {
    kind: 'inconclusive',
    reason: 'the split does not fit',
    evidence: [],
    sampleRatio: { ok: false, pValue: 1e-9 },
  },
  healthy: { kind: 'healthy', reason: 'within the limits', evidence: [] },
  inconclusive: { kind: 'inconclusive', reason: 'not yet known', evidence: [] },
  rollback: { kind: 'rollback', reason: 'errors over the limit', evidence: [] },
};

/** Runs the machine, answers its routing changes, and keeps every command. */
export function driver(change: Partial<RolloutFacts> = {}) {
  let state: RolloutState = openState(facts(change));
  let requests = 0;
  const commands: RolloutCommand[] = [];
  const send = (event: RolloutEvent): readonly RolloutCommand[] => {
    const decision = decide(state, event);
    state = decision.state;
    commands.push(...decision.commands);
    return decision.commands;
  };
  const api = {
    get state() {
      return state;
    },
    commands,
    send,
    /** Sends the event and lets every routing change it asks for succeed. */
    run(event: RolloutEvent) {
      send(event);
      while (state.pending !== null) send({ kind: 'routed', nowMs: event.nowMs, generation: state.generation + 1 });
      return api;
    },
    start: (nowMs = 0) => api.run({ kind: 'start', nowMs }),
    order: (kind: OrderName, nowMs: number, reason = '') =>
      api.run({ kind, nowMs, by: 'bob', reason, expiresAtMs: null }),
    approve: (nowMs: number, by: string, change: Partial<ApprovalOrder> = {}) =>
      api.run({
        kind: 'approve',
        nowMs,
        by,
        role: 'security',
        evidenceHash: evidenceHash(state),
        decision: 'approve',
        reason: '',
        expiresAtMs: null,
        ...change,
      }),
    /** `more`: candidate requests since the last look. */
    look(nowMs: number, more: number, verdict: Verdict['kind'] = 'inconclusive', seen: Partial<Observed> = {}) {
      requests += more;
      const observation = {
        candidate: { ...NO_COUNTS, requests },
        champion: NO_COUNTS,
        windows: 1,
        shadowPairs: requests,
      };
      return api.run({ kind: 'observed', nowMs, observation, verdict: VERDICTS[verdict], ...seen });
    },
    weights: () => commands.flatMap((c) => (c.kind === 'route' ? [weightOf(c.routes)] : [])),
    aliases: () => commands.flatMap((c) => (c.kind === 'setAliases' ? [c.aliases] : [])),
    closed: () => commands.filter((c) => c.kind === 'close'),
  };
  function weightOf(routes: RolloutState['routes']): number {
    return routes.find((r) => r.version === state.candidate)?.weightPercent ?? 0;
  }
  return api;
}
