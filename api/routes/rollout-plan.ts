import type { Registry } from '../../db/ports.ts';
import type { Traffic } from '../../db/rollout-ports.ts';
import { assessPlan, type TrafficForecast } from '../../domain/assess-plan.ts';
import type { ModelDefinition } from '../../domain/definition.ts';
import { DomainError } from '../../domain/errors.ts';
import { replayPolicy } from '../../domain/replay-policy.ts';
import { checkPlan, overridePlan } from '../../domain/rollout/check-plan.ts';
import { completePlan } from '../../domain/rollout/complete-plan.ts';
import type { CompletePlan, PlanOverrides, Strategy } from '../../domain/rollout/plan.ts';
import { basePlan } from '../../domain/rollout/strategy-plans.ts';
import { answerJson } from '../answers.ts';
import { checkedBy, defineOperation } from '../operation.ts';
import type { Operation } from '../operation.ts';
import { requireModel } from '../require-model.ts';
import {
  assessBodySchema,
  assessedSchema,
  backtestBodySchema,
  backtestedSchema,
} from '../schemas/rollout-assessment.ts';
import { findRollout } from './rollouts.ts';

/** Today's traffic: the last 24 hours, or as much of them as there are counters of. */
const TRAFFIC_MS = 24 * 3_600_000;
/** Counters are flushed every few seconds: a rate over less than this says nothing. */
const TRAFFIC_MS_MIN = 10_000;
/** Windows of a replay: two seconds, as the counters have them, or as long as makes this many. */
const WINDOWS_MAX = 5_000;
const WINDOW_MS_MIN = 2_000;

export interface RolloutPlanDeps {
  readonly registry: Pick<Registry, 'models' | 'rollouts' | 'records'>;
  readonly now: () => number;
}

/** `POST /rollouts/plan`, `POST /rollouts/backtest`. */
export function rolloutPlanOperations(deps: RolloutPlanDeps): readonly Operation[] {
  return [assess(deps), backtest(deps)];
}

interface Wanted {
  readonly strategy?: Strategy;
  readonly plan?: PlanOverrides;
}

/** @throws DomainError `invalidInput` with every problem of the plan */
function planOf({ rollout }: ModelDefinition, { strategy, plan }: Wanted): CompletePlan {
  const whole = overridePlan(basePlan(rollout, strategy ?? rollout.strategy), plan ?? {});
  const problems = checkPlan(whole);
  if (problems.length > 0) throw new DomainError('invalidInput', 'The plan cannot be rolled out', problems);
  return completePlan(whole);
}

const common = { tag: 'Rollouts', method: 'post', permission: 'monitor', inAnyRegion: true } as const;

function assess({ registry, now }: RolloutPlanDeps): Operation {
  return defineOperation({
    ...common,
    id: 'assessPlan',
    path: '/rollouts/plan',
    summary: 'Simulate a plan',
    description:
      "What a rollout would take at today's traffic, before it starts: per step the expected time to a verdict, the " +
      'time until a bad candidate is noticed, and what cannot be decided. Nothing is started. Traffic is measured over ' +
      'the last day; parts of it can be given.',
    refusals: ['notFound'],
    body: {
      ...checkedBy(assessBodySchema),
      description: 'Which plan, at which traffic',
      example: { model: 'churn', strategy: 'canary', traffic: { requestsPerSecond: 200 } },
    },
    answers: { 200: { description: 'The expectation', schema: assessedSchema } },
    handle: async ({ c, body }) => {
      const { name: model, definition } = await requireModel(registry.models, body.model);
      const plan = planOf(definition, body);
      const nowMs = now();
      const measured = forecastOf(await registry.records.traffic(model, nowMs - TRAFFIC_MS, nowMs + 1), nowMs);
      const traffic: TrafficForecast = { ...measured, ...body.traffic };
      return answerJson(c, 200, { model, plan, traffic, assessment: assessPlan(plan, traffic) });
    },
  });
}

/** A model that is served since an hour has the rate of that hour, not a twenty-fourth of it. */
function forecastOf({ counts, firstMs, users, outcomes }: Traffic, nowMs: number): TrafficForecast {
  const { requests, errors, slow } = counts;
  const spanMs = firstMs === null ? TRAFFIC_MS : Math.max(TRAFFIC_MS_MIN, nowMs - firstMs);
  const share = (n: number, of: number) => (of === 0 ? 0 : Math.min(1, n / of));
  return {
    requestsPerSecond: requests / (spanMs / 1000),
    errorRate: share(errors, requests),
    slowShare: share(slow, requests),
    usersPerDay: users === 0 ? null : users * (TRAFFIC_MS / spanMs),
    outcomes: Object.fromEntries(Object.entries(outcomes).map(([event, n]) => [event, share(n, users)])),
  };
}

function backtest({ registry, now }: RolloutPlanDeps): Operation {
  return defineOperation({
    ...common,
    id: 'backtestPlan',
    path: '/rollouts/backtest',
    summary: 'Replay a plan on a recorded rollout',
    description:
      'When the plan would have taken its steps, promoted or rolled back, had it been in force during the recorded ' +
      'rollout: from its counters, window by window. Without strategy and plan, the plan it ran by. Nothing is started.',
    refusals: ['notFound', 'refused'],
    body: {
      ...checkedBy(backtestBodySchema),
      description: 'Which record, and which plan',
      example: { rollout: 'churn', plan: { limits: { errorRateMax: 0.005 } } },
    },
    answers: { 200: { description: 'What would have happened', schema: backtestedSchema } },
    handle: async ({ c, body }) => {
      const row = await findRollout(registry.rollouts, body.rollout);
      const { definition } = await requireModel(registry.models, row.model);
      const own = body.strategy === undefined && body.plan === undefined;
      const plan = own ? completePlan(row.plan) : planOf(definition, body);
      const startedMs = row.startedAt.getTime();
      const spanMs = (row.finishedAt?.getTime() ?? now()) - startedMs;
      const windowMs = Math.max(WINDOW_MS_MIN, Math.ceil(spanMs / WINDOWS_MAX / 1000) * 1000);
      const windows = await registry.records.recordedWindows(row.id, startedMs, windowMs);
      if (windows.length === 0) {
        throw new DomainError('refused', `Nothing was counted during rollout ${row.id}: there is nothing to replay`);
      }
      const result = replayPolicy(plan, windows);
      const finished = row.finishedAt?.toISOString() ?? null;
      const recorded = { outcome: row.phase, started_at: row.startedAt.toISOString(), finished_at: finished };
      return answerJson(c, 200, { rollout_id: row.id, model: row.model, recorded, plan, result });
    },
  });
}
