import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide, openState } from '../../../domain/rollout/machine.ts';
import { hasEnded } from '../../../domain/rollout/progress.ts';
import { snapshot } from '../../../domain/rollout/snapshot.ts';
import { checkPlan } from '../../../domain/rollout/check-plan.ts';
import type { RolloutEvent, RolloutState } from '../../../domain/rollout/events.ts';
import type { RolloutPlan } from '../../../domain/rollout/plan.ts';
import type { Route } from '../../../domain/routing.ts';
import { NO_COUNTS } from '../../../domain/records.ts';
import { facts, VERDICTS } from './rollout-fixtures.ts';

const RUNS = { numRuns: 10_000 };

const plans: fc.Arbitrary<RolloutPlan> = fc
  .record({
    strategy: fc.constantFrom('canary' as const, 'blue-green' as const, 'all-at-once' as const),
    hundredths: fc.uniqueArray(fc.integer({ min: 0, max: 9_999 }), { maxLength: 4 }),
    bakeTimeMs: fc.integer({ min: 0, max: 3_000 }),
    minRequests: fc.integer({ min: 0, max: 300 }),
    keepWarmMs: fc.constantFrom(0, 1, 2_000),
  })
  .map(({ strategy, hundredths, bakeTimeMs, minRequests, keepWarmMs }) => ({
    strategy,
    steps: [...hundredths.sort((a, b) => a - b), 10_000].map((h) => ({ weightPercent: h / 100, bakeTimeMs })),
    limits: { errorRateMax: 0.001, p95MsMax: 120 },
    minRequests,
    observeEveryMs: 1_000,
    keepWarmMs,
  }));

type Choice =
  | { readonly kind: 'routed' | 'routingFailed' | 'conflict' | 'failed' }
  | { readonly kind: 'look'; readonly more: number; readonly verdict: keyof typeof VERDICTS }
  | { readonly kind: 'order'; readonly order: 'promote' | 'pause' | 'resume' | 'abort' | 'rollback' };

const choices: fc.Arbitrary<{ choice: Choice; afterMs: number }[]> = fc.array(
  fc.record({
    afterMs: fc.integer({ min: 0, max: 3_000 }),
    choice: fc.oneof(
      { weight: 8, arbitrary: fc.constant<Choice>({ kind: 'routed' }) },
      {
        weight: 1,
        arbitrary: fc.constantFrom<Choice>({ kind: 'routingFailed' }, { kind: 'conflict' }, { kind: 'failed' }),
      },
      {
        weight: 8,
        arbitrary: fc.record({
          kind: fc.constant('look' as const),
          more: fc.integer({ min: 0, max: 300 }),
          verdict: fc.constantFrom<keyof typeof VERDICTS>(
            'healthy',
            'inconclusive',
            'inconclusive',
            'healthy',
            'rollback',
          ),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constant('order' as const),
          order: fc.constantFrom(
            'promote' as const,
            'pause' as const,
            'resume' as const,
            'abort' as const,
            'rollback' as const,
          ),
        }),
      },
    ),
  }),
  { maxLength: 40 },
);

const lives = fc.record({ plan: plans, champion: fc.constantFrom(4, 4, 4, null), choices });

interface Moment {
  readonly before: RolloutState;
  readonly event: RolloutEvent;
  readonly after: RolloutState;
  readonly commands: ReturnType<typeof decide>['commands'];
}

function live({ plan, champion, choices: list }: typeof lives extends fc.Arbitrary<infer T> ? T : never): Moment[] {
  const routes: Route[] = champion === null ? [] : [{ variant: 'champion', version: champion, weightPercent: 100 }];
  let state = openState(facts({ plan, champion, routes, generation: champion === null ? 0 : 12 }));
  const moments: Moment[] = [];
  let nowMs = 0;
  let requests = 0;
  const send = (event: RolloutEvent): void => {
    const decision = decide(state, event);
    moments.push({ before: state, event, after: decision.state, commands: decision.commands });
    state = decision.state;
  };
  send({ kind: 'start', nowMs });
  for (const { choice, afterMs } of list) {
    nowMs += afterMs;
    if (choice.kind === 'look') {
      requests += choice.more;
      const observation = { candidate: { ...NO_COUNTS, requests }, champion: NO_COUNTS, windows: 1 };
      send({ kind: 'observed', nowMs, observation, verdict: VERDICTS[choice.verdict] });
    } else if (choice.kind === 'order') send({ kind: choice.order, nowMs, by: 'bob', reason: '' });
    else if (choice.kind === 'routed') send({ kind: 'routed', nowMs, generation: state.generation + 1 });
    else if (choice.kind === 'failed') send({ kind: 'failed', nowMs, reason: 'broken' });
    else send({ kind: 'routingFailed', nowMs, reason: 'no', conflict: choice.kind === 'conflict' });
  }
  return moments;
}

const always = (claim: (moment: Moment) => void): void =>
  fc.assert(
    fc.property(lives, (life) => live(life).forEach(claim)),
    RUNS,
  );

const candidateWeight = (routes: readonly Route[], version: number): number =>
  routes.find((r) => r.version === version)?.weightPercent ?? 0;

describe('whatever happens to a rollout', () => {
  it('every routing change has weights that sum to 100 and at most one champion', () => {
    always(({ commands }) => {
      for (const c of commands) {
        if (c.kind !== 'route') continue;
        const sum = c.routes.reduce((total, r) => total + r.weightPercent, 0);
        expect(Math.abs(sum - 100)).toBeLessThan(1e-9);
        expect(c.routes.filter((r) => r.variant === 'champion').length).toBeLessThanOrEqual(1);
        expect(new Set(c.routes.map((r) => r.version)).size).toBe(c.routes.length);
      }
    });
  });

  it('the generation grows with every change in force and never otherwise', () => {
    always(({ before, event, after }) => {
      if (event.kind === 'routed' && before.pending !== null) expect(after.generation).toBe(before.generation + 1);
      else expect(after.generation).toBe(before.generation);
    });
  });

  it('the weight of the candidate never shrinks but for a restore, and never grows once the way back began', () => {
    always(({ before, after, commands }) => {
      for (const c of commands) {
        if (c.kind !== 'route') continue;
        const weight = candidateWeight(c.routes, before.candidate);
        if (c.purpose === 'restore') expect(weight).toBe(0);
        else expect(weight).toBeGreaterThanOrEqual(before.weightPercent);
        if (before.phase === 'rollingBack') expect(c.purpose).toBe('restore');
      }
      if (before.phase === 'rollingBack') expect(after.weightPercent).toBeLessThanOrEqual(before.weightPercent);
    });
  });

  it('no step is taken on a verdict that says rollback, without its time, or without its traffic', () => {
    always(({ before, event, commands }) => {
      if (event.kind !== 'observed') return;
      const forward = commands.some((c) => c.kind === 'route' && c.purpose !== 'restore');
      if (!forward) return;
      expect(event.verdict.kind).not.toBe('rollback');
      expect(event.nowMs - before.stepStartedAtMs).toBeGreaterThanOrEqual(
        before.plan.steps[before.stepIndex]?.bakeTimeMs ?? 0,
      );
      if (before.phase === 'running' && before.weightPercent > 0) {
        expect(event.observation.candidate.requests - before.requestsBeforeStep).toBeGreaterThanOrEqual(
          before.plan.minRequests,
        );
      }
    });
  });

  it('an ended rollout accepts nothing, and ends exactly once', () => {
    fc.assert(
      fc.property(lives, (life) => {
        const moments = live(life);
        let closes = 0;
        for (const { before, after, commands } of moments) {
          if (hasEnded(before)) {
            expect(after).toBe(before);
            expect(commands).toEqual([]);
          }
          closes += commands.filter((c) => c.kind === 'close').length;
          expect(hasEnded(after)).toBe(closes === 1);
        }
      }),
      RUNS,
    );
  });

  it('a rollback or abort ends with the champion alone, and its alias where it was', () => {
    fc.assert(
      fc.property(lives, (life) => {
        const moments = live(life);
        const last = moments.at(-1)?.after;
        if (last === undefined || life.champion === null) return;
        let champion: number | null = life.champion;
        for (const c of moments.flatMap((m) => m.commands)) {
          if (c.kind === 'setAliases' && c.aliases.champion !== undefined) champion = c.aliases.champion;
        }
        if (last.phase === 'rolledBack' || last.phase === 'aborted') expect(champion).toBe(life.champion);
        if (last.phase === 'promoted' || last.phase === 'keepWarm') expect(champion).toBe(last.candidate);
      }),
      RUNS,
    );
  });

  it('every ordinal is used once', () => {
    fc.assert(
      fc.property(lives, (life) => {
        const ordinals = live(life).flatMap((m) => m.commands.flatMap((c) => (c.kind === 'close' ? [] : [c.ordinal])));
        expect(new Set(ordinals).size).toBe(ordinals.length);
      }),
      RUNS,
    );
  });

  it('every state survives JSON and explains itself', () => {
    fc.assert(
      fc.property(lives, (life) => {
        for (const { after } of live(life)) {
          expect(JSON.parse(JSON.stringify(after))).toEqual(after);
          const { explanation } = snapshot(after, 10_000);
          expect(Object.values(explanation).every((words) => words.length > 0)).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('generated plans are plans a person could write', () => {
    fc.assert(
      fc.property(plans, (plan) => {
        expect(checkPlan(plan)).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
