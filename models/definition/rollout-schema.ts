import { z } from 'zod';
import type { RolloutPolicy } from '../../domain/definition.ts';
import type { RolloutLimits, RolloutPlan, RolloutStep } from '../../domain/rollout/plan.ts';
import { durationSchema } from './duration.ts';

/** A plan with more steps than this is a typing mistake; each step is at least one routing change. */
const STEPS_MAX = 50;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const CANARY_KEEP_WARM_MS = HOUR_MS;
/** Blue-green keeps the whole old side: a day covers the load pattern of one. */
const BLUE_GREEN_KEEP_WARM_MS = 24 * HOUR_MS;
/** The bounds of `checkPlan` in the domain: a definition that loads never fails there. */
const OBSERVE_EVERY_MIN_MS = 100;
const P95_MIN_MS = 0.1;

const weightPercent = z
  .number()
  .min(0)
  .max(100)
  .multipleOf(0.01)
  .describe('Share of traffic the candidate gets, in percent, in steps of 0.01.');
const errorRateMax = z.number().min(0).max(1).describe('Share of failed requests that rolls back, 0..1.');
const p95MsMax = z.number().min(P95_MIN_MS).max(600_000).describe('p95 of the time to answer that rolls back, ms.');
const minRequests = z
  .int()
  .min(0)
  .max(1_000_000_000)
  .describe('Requests the candidate must have answered in a step before the step may end by itself.');
const observeEvery = durationSchema
  .refine((ms) => ms >= OBSERVE_EVERY_MIN_MS && ms <= HOUR_MS, 'expected between 100ms and 1h')
  .describe('How often the counters are read, for example 30s.');
const keepWarm = durationSchema.describe(
  'How long the old version stays loaded and ready for a rollback after 100 %, for example 1h.',
);

interface StepInput {
  readonly weightPercent: number;
  readonly bakeTimeMs?: number | undefined;
}

/** The rules of a list of steps, all broken ones at once; `bakeTimeField` is how the input names the bake time. */
function checkSteps(
  steps: readonly StepInput[],
  bakeTimeField: string,
  report: (path: PropertyKey[], message: string) => void,
) {
  steps.forEach((step, i) => {
    const before = steps[i - 1];
    if (before !== undefined && step.weightPercent <= before.weightPercent) {
      const message = `must be more than the step before it (${before.weightPercent}), found ${step.weightPercent}`;
      report([i, 'weightPercent'], message);
    }
    if (step.bakeTimeMs === undefined && step.weightPercent < 100) {
      report([i, bakeTimeField], 'is missing: how long this step is watched before the next one, for example 30m');
    }
  });
  const last = steps.at(-1);
  if (last !== undefined && last.weightPercent !== 100) {
    report([steps.length - 1, 'weightPercent'], `the last step must be 100, found ${last.weightPercent}`);
  }
}

const stepFromFile = z
  .strictObject({
    weightPercent,
    bakeTime: durationSchema
      .optional()
      .describe(
        'How long the step is watched before the next one, for example 2h. Only the last step may leave it out.',
      ),
  })
  .transform((step) => ({ weightPercent: step.weightPercent, bakeTimeMs: step.bakeTime }));

const stepsFromFile = z
  .array(stepFromFile)
  .min(1)
  .max(STEPS_MAX)
  .superRefine((steps, context) =>
    checkSteps(steps, 'bakeTime', (path, message) => context.addIssue({ code: 'custom', path, message })),
  )
  .transform((steps): RolloutStep[] =>
    steps.map((s) => ({ weightPercent: s.weightPercent, bakeTimeMs: s.bakeTimeMs ?? 0 })),
  )
  .describe('Weights grow from step to step and end at 100.');

const planFromFile = (steps: z.input<typeof stepsFromFile>) =>
  z.strictObject({
    steps: stepsFromFile.prefault(steps),
    limits: z
      .strictObject({ errorRateMax: errorRateMax.optional(), p95MsMax: p95MsMax.optional() })
      .prefault({})
      .describe('Replaces the common limits for this strategy.'),
    minRequests: minRequests.optional(),
    observeEvery: observeEvery.optional(),
    keepWarm: keepWarm.optional(),
  });

/** `rollout:` of model.yaml. What the two plans share is written once; each plan may say otherwise. */
export const rolloutFromFile = z
  .strictObject({
    strategy: z
      .enum(['canary', 'blue-green'])
      .default('canary')
      .describe('Used when the start of a rollout names none.'),
    limits: z.strictObject({ errorRateMax: errorRateMax.default(0.001), p95MsMax: p95MsMax.default(120) }).prefault({}),
    minRequests: minRequests.default(100),
    observeEvery: observeEvery.prefault('30s'),
    keepWarm: keepWarm.optional(),
    canary: planFromFile([
      { weightPercent: 5, bakeTime: '2h' },
      { weightPercent: 25, bakeTime: '6h' },
      { weightPercent: 50, bakeTime: '12h' },
      { weightPercent: 100 },
    ]).prefault({}),
    blueGreen: planFromFile([
      { weightPercent: 10, bakeTime: '30m' },
      { weightPercent: 50, bakeTime: '1h' },
      { weightPercent: 100 },
    ]).prefault({}),
  })
  .transform((file): RolloutPolicy => {
    const plan = (strategy: RolloutPlan['strategy'], own: typeof file.canary, keepWarmMs: number): RolloutPlan => ({
      strategy,
      steps: own.steps,
      limits: {
        errorRateMax: own.limits.errorRateMax ?? file.limits.errorRateMax,
        p95MsMax: own.limits.p95MsMax ?? file.limits.p95MsMax,
      },
      minRequests: own.minRequests ?? file.minRequests,
      observeEveryMs: own.observeEvery ?? file.observeEvery,
      keepWarmMs: own.keepWarm ?? file.keepWarm ?? keepWarmMs,
    });
    return {
      strategy: file.strategy,
      canary: plan('canary', file.canary, CANARY_KEEP_WARM_MS),
      blueGreen: plan('blue-green', file.blueGreen, BLUE_GREEN_KEEP_WARM_MS),
    };
  });

const durationMs = z.int().min(0).max(31_536_000_000);
const stepsResolved = z
  .array(z.strictObject({ weightPercent, bakeTimeMs: durationMs }))
  .min(1)
  .max(STEPS_MAX)
  .superRefine((steps, context) =>
    checkSteps(steps, 'bakeTimeMs', (path, message) => context.addIssue({ code: 'custom', path, message })),
  ) satisfies z.ZodType<readonly RolloutStep[]>;
const limitsResolved = z.strictObject({ errorRateMax, p95MsMax }) satisfies z.ZodType<RolloutLimits>;

const planResolved = <S extends RolloutPlan['strategy']>(strategy: S) =>
  z.strictObject({
    strategy: z.literal(strategy),
    steps: stepsResolved,
    limits: limitsResolved,
    minRequests,
    observeEveryMs: z.int().min(OBSERVE_EVERY_MIN_MS).max(HOUR_MS),
    keepWarmMs: durationMs,
  });

/** The resolved form, as stored and sent over the API. */
export const rolloutResolved = z.strictObject({
  strategy: z.enum(['canary', 'blue-green']),
  canary: planResolved('canary'),
  blueGreen: planResolved('blue-green'),
}) satisfies z.ZodType<RolloutPolicy>;
