import { ApplicationFailure } from '@temporalio/common';
import type { RolloutActivities } from '../../activities/contract.ts';
import { NO_COUNTS } from '../../domain/records.ts';
import { overridePlan } from '../../domain/rollout/check-plan.ts';
import type { Trigger } from '../../domain/rollout/events.ts';
import type { RolloutNotice } from '../../domain/rollout/notices.ts';
import type { RolloutPlan } from '../../domain/rollout/plan.ts';
import type { Adoption, Hold, RolloutSnapshot } from '../../domain/rollout/state.ts';
import type { Route } from '../../domain/routing.ts';
import type { Evidence, Verdict } from '../../domain/verdict.ts';

export const PLAN: RolloutPlan = {
  strategy: 'canary',
  steps: [
    { weightPercent: 5, bakeTimeMs: 600_000 },
    { weightPercent: 25, bakeTimeMs: 600_000 },
    { weightPercent: 100, bakeTimeMs: 0 },
  ],
  limits: { errorRateMax: 0.001, p95MsMax: 120 },
  minRequests: 100,
  advance: 'noHarm',
  observeEveryMs: 60_000,
  keepWarmMs: 3_600_000,
};

export interface FakeOptions {
  readonly plan?: RolloutPlan;
  readonly champion?: number | null;
  /** Candidate requests a look adds. */
  readonly requestsPerLook?: number;
  /** Verdict by the candidate's weight. */
  readonly verdict?: (weight: number) => Verdict['kind'];
  /** What each look finds, beside its verdict. */
  readonly evidence?: readonly Evidence[];
  /** Whether the traffic is not split as configured. */
  readonly uneven?: () => boolean;
  readonly hold?: () => Hold | null;
  readonly triggers?: () => readonly Trigger[];
  readonly adoption?: () => Adoption | null;
  readonly listening?: boolean;
}

/** A registry of one model in memory, with the rules that matter to a rollout: compare-and-set and idempotence. */
export function createFakeRollout(options: FakeOptions = {}) {
  const champion = options.champion === undefined ? 1 : options.champion;
  const plan = options.plan ?? PLAN;
  let generation = champion === null ? 0 : 7;
  let routes: readonly Route[] =
    champion === null ? [] : [{ variant: 'champion', version: champion, weightPercent: 100 }];
  let owner: string | null = null;
  let requests = 0;
  const changes = new Map<string, number>();
  const weights: number[] = [];
  const aliases: Record<string, number | null> = { champion };
  const calls: string[] = [];
  let snapshot: RolloutSnapshot | null = null;
  let closed: { snapshot: RolloutSnapshot; reason: string } | null = null;
  const faults = new Map<string, () => void>();
  const enter = (name: string): void => {
    calls.push(name);
    faults.get(name)?.();
  };
  const candidateWeight = (version: number): number => routes.find((r) => r.version === version)?.weightPercent ?? 0;
  let candidate = 0;

  const held = () => ({ hold: options.hold?.() ?? null, listening: options.listening ?? false });
  const notices: RolloutNotice[] = [];
  const activities = answering<RolloutActivities>({
    openRollout: (input) => {
      enter('openRollout');
      candidate = input.version;
      return {
        champion,
        previous: null,
        plan: overridePlan({ ...plan, strategy: input.strategy ?? plan.strategy }, input.plan),
        generation,
        routes,
        ...held(),
      };
    },
    applyRouting: ({ rolloutId, change }) => {
      enter(`applyRouting:${change.purpose}`);
      const changeId = `${rolloutId}/${change.ordinal}`;
      const done = changes.get(changeId);
      if (done !== undefined) return { generation: done };
      const expected = change.purpose === 'restore' && owner === rolloutId ? generation : change.expectedGeneration;
      if (expected !== generation) {
        throw ApplicationFailure.create({ type: 'conflict', nonRetryable: true, message: `generation ${generation}` });
      }
      generation += 1;
      routes = change.routes;
      owner = change.rolloutId;
      changes.set(changeId, generation);
      weights.push(candidateWeight(candidate));
      return { generation };
    },
    setAliases: ({ change }) => {
      enter('setAliases');
      Object.assign(aliases, change.aliases);
    },
    observe: () => {
      enter('observe');
      const weight = candidateWeight(candidate);
      const shadowed = routes.some((r) => r.variant === 'shadow');
      if (weight > 0 || shadowed) requests += options.requestsPerLook ?? 100;
      const kind = options.verdict?.(weight) ?? 'inconclusive';
      const sampleRatio = { ok: options.uneven?.() !== true, pValue: 1 };
      const reason = kind === 'rollback' ? 'too many errors' : 'fine so far';
      const verdict: Verdict = { kind, reason, evidence: options.evidence ?? [], sampleRatio };
      return {
        observation: { candidate: { ...NO_COUNTS, requests }, champion: NO_COUNTS, windows: 3, shadowPairs: requests },
        verdict,
        triggers: options.triggers?.() ?? [],
        adoption: options.adoption?.() ?? null,
        ...held(),
      };
    },
    awaitAdoption: ({ generation: wanted }) => {
      enter('awaitAdoption');
      return { generation: wanted, adopted: true, waitingFor: [] };
    },
    probeWarm: () => {
      enter('probeWarm');
      return { warm: true, waitingFor: [] };
    },
    quarantine: () => enter('quarantine'),
    notify: (notice) => {
      enter('notify');
      notices.push(notice);
    },
    saveProgress: (input) => {
      enter('saveProgress');
      snapshot = input.snapshot;
    },
    closeRollout: (input) => {
      enter('closeRollout');
      closed = input;
    },
  });
  return {
    activities,
    weights,
    aliases,
    calls,
    notices,
    get routes() {
      return routes;
    },
    get closed() {
      return closed;
    },
    get snapshot() {
      return snapshot;
    },
    /** Another writer changes the routing. */
    takeRouting: () => {
      generation += 1;
      owner = null;
    },
    /** Fails the named activity until it is told otherwise. */
    fail: (name: string, failure: () => Error) =>
      faults.set(name, () => {
        throw failure();
      }),
    heal: (name: string) => faults.delete(name),
  };
}

export const broken = (message: string): Error =>
  ApplicationFailure.create({ type: 'internal', nonRetryable: true, message });
export const unavailable = (): Error => ApplicationFailure.create({ type: 'unavailable', message: 'no database' });

type Answers<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => Promise<infer R> ? (...args: A) => R : never;
};

/** Activities out of plain functions: a thrown failure becomes a rejection. */
export function answering<T extends object>(answers: Answers<T>): T {
  const entries = Object.entries<(...args: unknown[]) => unknown>(answers as never);
  const wrapped = entries.map(([name, answer]) => [
    name,
    // eslint-disable-next-line @typescript-eslint/require-await -- async turns what is thrown into a rejection
    async (...args: unknown[]) => answer(...args),
  ]);
  return Object.fromEntries(wrapped) as T;
}
