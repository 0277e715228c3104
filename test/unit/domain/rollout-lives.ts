/** Lives of rollouts, made up: any plan, any events in any order. */
import fc from 'fast-check';
import { NO_COUNTS } from '../../../domain/records.ts';
import { evidenceHash } from '../../../domain/rollout/approvals.ts';
import type { Observed, OrderName, RolloutEvent, RolloutState, RouteCommand } from '../../../domain/rollout/events.ts';
import { decide } from '../../../domain/rollout/machine.ts';
import { openState } from '../../../domain/rollout/open-state.ts';
import { STRATEGIES, type ApprovalRule, type RolloutPlan, type Strategy } from '../../../domain/rollout/plan.ts';
import type { Route } from '../../../domain/routing.ts';
import { facts, VERDICTS } from './rollout-fixtures.ts';

/** Printed by fast-check when a property fails; fixed so that a run can be repeated. */
const SEED = Number(process.env['FC_SEED'] ?? Date.now() % 1_000_000_000);
console.log(`seed of the properties of the rollout machine: ${SEED}`);
export const RUNS = { numRuns: 10_000, seed: SEED };

const rules: fc.Arbitrary<readonly ApprovalRule[]> = fc.constantFrom<readonly ApprovalRule[]>(
  [],
  [],
  [],
  [{ role: 'security', persons: 1, expiresAfterMs: 4_000 }],
  [{ role: 'security', persons: 2, expiresAfterMs: 20_000, onReject: 'hold' }],
);

const steps = (strategy: Strategy, hundredths: readonly number[]): readonly number[] => {
  if (strategy === 'shadow') return [0];
  const sorted = [...hundredths].sort((x, y) => x - y).map((h) => h / 100);
  if (strategy === 'ab') return [Math.max(0.01, sorted[0] ?? 50), 100];
  return strategy === 'all-at-once' ? [100] : [...sorted, 100];
};

export const plans: fc.Arbitrary<RolloutPlan> = fc
  .record({
    strategy: fc.constantFrom(...STRATEGIES),
    hundredths: fc.uniqueArray(fc.integer({ min: 0, max: 9_999 }), { maxLength: 4 }),
    bakeTimeMs: fc.integer({ min: 0, max: 3_000 }),
    minRequests: fc.integer({ min: 0, max: 300 }),
    keepWarmMs: fc.constantFrom(0, 1, 2_000),
    advance: fc.constantFrom('healthy' as const, 'noHarm' as const),
    baseline: fc.boolean(),
    approvals: rules,
    onMaxWait: fc.constantFrom(undefined, 'hold' as const, 'ask' as const, 'rollback' as const),
  })
  .map(({ strategy, hundredths, bakeTimeMs, approvals, onMaxWait, ...rest }) => ({
    strategy,
    steps: steps(strategy, hundredths).map((weightPercent) => ({
      weightPercent,
      bakeTimeMs,
      approvals,
      ...(onMaxWait === undefined ? {} : { maxWaitMs: 10_000, onMaxWait }),
    })),
    limits: { errorRateMax: 0.001, p95MsMax: 120 },
    observeEveryMs: 1_000,
    ...rest,
  }));

type Choice =
  | { readonly kind: 'routed' | 'routingFailed' | 'conflict' | 'failed' | 'trigger' }
  | { readonly kind: 'look'; readonly more: number; readonly verdict: keyof typeof VERDICTS; readonly held: boolean }
  | { readonly kind: 'order'; readonly order: OrderName; readonly late: boolean }
  | { readonly kind: 'approve'; readonly by: string; readonly stale: boolean; readonly decision: 'approve' | 'reject' };

const ORDERS = ['promote', 'pause', 'resume', 'freeze', 'skipBake', 'abort', 'rollback', 'resume'] as const;

const choices: fc.Arbitrary<{ choice: Choice; afterMs: number }[]> = fc.array(
  fc.record({
    afterMs: fc.integer({ min: 0, max: 3_000 }),
    choice: fc.oneof(
      { weight: 8, arbitrary: fc.constant<Choice>({ kind: 'routed' }) },
      {
        weight: 1,
        arbitrary: fc.constantFrom<Choice>(
          { kind: 'routingFailed' },
          { kind: 'conflict' },
          { kind: 'failed' },
          { kind: 'trigger' },
        ),
      },
      {
        weight: 8,
        arbitrary: fc.record({
          kind: fc.constant('look' as const),
          more: fc.integer({ min: 0, max: 300 }),
          held: fc.constantFrom(false, false, false, true),
          verdict: fc.constantFrom<keyof typeof VERDICTS>(
            'healthy',
            'healthy',
            'healthy',
            'inconclusive',
            'uneven',
            'rollback',
          ),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constant('order' as const),
          order: fc.constantFrom(...ORDERS),
          late: fc.constantFrom(false, false, false, true),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constant('approve' as const),
          by: fc.constantFrom('ann', 'ben'),
          stale: fc.constantFrom(false, false, true),
          decision: fc.constantFrom('approve' as const, 'approve' as const, 'approve' as const, 'reject' as const),
        }),
      },
    ),
  }),
  { maxLength: 40 },
);

export const lives = fc.record({ plan: plans, champion: fc.constantFrom(4, 4, 4, null), choices });

interface Moment {
  readonly before: RolloutState;
  readonly event: RolloutEvent;
  readonly after: RolloutState;
  readonly commands: ReturnType<typeof decide>['commands'];
}

export function live({
  plan,
  champion,
  choices: list,
}: typeof lives extends fc.Arbitrary<infer T> ? T : never): Moment[] {
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
      send(lookEvent(choice, requests, nowMs));
    } else if (choice.kind === 'order') {
      const expiresAtMs = choice.late ? nowMs - 1 : null;
      send({ kind: choice.order, nowMs, by: 'bob', reason: '', expiresAtMs });
    } else if (choice.kind === 'approve') {
      const hash = choice.stale ? 'of another look' : evidenceHash(state);
      const { by, decision } = choice;
      const sent = { kind: 'approve', nowMs, by, decision, reason: '', expiresAtMs: null } as const;
      send({ ...sent, role: 'security', evidenceHash: hash });
    } else if (choice.kind === 'trigger') {
      send({ kind: 'trigger', nowMs, trigger: { kind: 'security', reason: 'leak', by: 'eve' } });
    } else if (choice.kind === 'routed') send({ kind: 'routed', nowMs, generation: state.generation + 1 });
    else if (choice.kind === 'failed') send({ kind: 'failed', nowMs, reason: 'broken' });
    else send({ kind: 'routingFailed', nowMs, reason: 'no', conflict: choice.kind === 'conflict' });
  }
  return moments;
}

function lookEvent({ verdict, held }: Extract<Choice, { kind: 'look' }>, requests: number, nowMs: number): Observed {
  const counts = { ...NO_COUNTS, requests };
  const hold = held ? ({ kind: 'stopTheLine', reason: 'incident', untilMs: null } as const) : null;
  const observation = { candidate: counts, champion: NO_COUNTS, windows: 1, shadowPairs: requests };
  return { kind: 'observed', nowMs, observation, verdict: VERDICTS[verdict], hold };
}

export const always = (claim: (moment: Moment) => void): void =>
  fc.assert(
    fc.property(lives, (life) => live(life).forEach(claim)),
    RUNS,
  );

export const forwards = (commands: Moment['commands']): readonly RouteCommand[] =>
  commands.filter((c) => c.kind === 'route').filter((c) => c.purpose !== 'restore');
