import { z } from 'zod';
import type { RolloutPolicy } from '../../domain/definition.ts';
import { checkPlan } from '../../domain/rollout/check-plan.ts';
import { STRATEGIES, type RolloutLimits, type RolloutPlan, type Strategy } from '../../domain/rollout/plan.ts';
import { STEPS_BY_DEFAULT } from '../../domain/rollout/strategy-plans.ts';
import { durationSchema, formatDuration } from './duration.ts';
import {
  advance,
  alpha,
  approvalFromFile,
  baseline,
  calendar,
  maxWait,
  metricsFromFile,
  metricsResolved,
  mirrorPercent,
  onMaxWait,
  warmUpRequests,
} from './rollout-choices-schema.ts';
import { durationMs, resolveSteps, shadowStepsResolved, stepsFromFile, stepsResolved } from './rollout-steps-schema.ts';
import type { StepsFromFile } from './rollout-steps-schema.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const KEEP_WARM_MS = HOUR_MS;
/** Blue-green keeps the whole old side: a day covers the load pattern of one. */
const BLUE_GREEN_KEEP_WARM_MS = 24 * HOUR_MS;
/** The bounds of `checkPlan` in the domain: a definition that loads never fails there. */
const OBSERVE_EVERY_MIN_MS = 100;
const P95_MIN_MS = 0.1;

const errorRateMax = z.number().min(0).max(1).describe('Share of failed requests that rolls back, 0..1.');
const p95MsMax = z.number().min(P95_MIN_MS).max(600_000).describe('p95 of the time to answer that rolls back, ms.');
/** Of a shadow; what is not said is the judge's to choose. */
const shadowLimits = {
  disagreementMax: z
    .number()
    .min(0)
    .max(1)
    .exactOptional()
    .describe('Shadow: share of pairs with another label, 0..1.'),
  scoreShiftMax: z.number().min(1e-6).max(1).exactOptional().describe('Shadow: mean change of the score, 0..1.'),
  slowerMsMax: z
    .number()
    .min(0.01)
    .max(600_000)
    .exactOptional()
    .describe('Shadow: mean extra time that rolls back, ms.'),
};
const minRequests = z
  .int()
  .min(0)
  .max(1_000_000_000)
  .describe('Requests the candidate must have answered in a step before the step may end by itself.');
const observeEvery = durationSchema
  .refine((ms) => ms >= OBSERVE_EVERY_MIN_MS && ms <= HOUR_MS, 'expected between 100ms and 1h')
  .describe('How often the counters are read, for example 4s.');
const keepWarm = durationSchema.describe(
  'How long the old version stays loaded and ready for a rollback after 100 %, for example 1h.',
);

/** What may be said for all strategies, and otherwise for one. */
const choices = {
  limits: z
    .strictObject({ errorRateMax: errorRateMax.optional(), p95MsMax: p95MsMax.optional(), ...shadowLimits })
    .prefault({})
    .describe('Replaces the common limits for this strategy.'),
  minRequests: minRequests.optional(),
  observeEvery: observeEvery.optional(),
  keepWarm: keepWarm.optional(),
  advance: advance.optional(),
  maxWait: maxWait.optional(),
  onMaxWait: onMaxWait.optional(),
  alpha: alpha.optional(),
  warmUpRequests: warmUpRequests.optional(),
  metrics: metricsFromFile.optional(),
  calendar: calendar.optional(),
  baseline: baseline.optional(),
};

/** Durations are written as in the file, so that the published schema shows them. */
const defaults = (strategy: Strategy): StepsFromFile =>
  STEPS_BY_DEFAULT[strategy].map(({ weightPercent, bakeTimeMs }) =>
    weightPercent === 100 ? { weightPercent } : { weightPercent, bakeTime: formatDuration(bakeTimeMs) },
  );

const planFromFile = (strategy: Strategy) =>
  z.strictObject({ steps: stepsFromFile.prefault(defaults(strategy)), ...choices }).prefault({});

const shadowFromFile = z
  .strictObject({
    bakeTime: durationSchema.prefault('1h').describe('How long copies are compared at least.'),
    mirrorPercent: mirrorPercent.exactOptional(),
    ...choices,
  })
  .transform(({ bakeTime: bakeTimeMs, ...own }) => ({
    ...own,
    steps: [{ weightPercent: 0, bakeTimeMs, maxWaitMs: undefined }],
  }))
  .prefault({});

const abFromFile = z
  .strictObject({
    weightPercent: z
      .number()
      .gt(0)
      .lt(100)
      .multipleOf(0.01)
      .default(50)
      .describe('Share of the users on the candidate.'),
    bakeTime: durationSchema.prefault('1d').describe('How long the experiment runs at least.'),
    ends: z.iso
      .datetime({ offset: true })
      .exactOptional()
      .describe('The experiment ends then, decided or not, for example 2030-01-31T12:00:00Z.'),
    approvals: z
      .array(approvalFromFile)
      .exactOptional()
      .describe('Who has to agree before the candidate gets everything.'),
    ...choices,
  })
  .transform(({ weightPercent, bakeTime: bakeTimeMs, ends, approvals, ...own }) => ({
    ...own,
    ...(ends === undefined ? {} : { endsAtMs: Date.parse(ends) }),
    steps: [
      { weightPercent, bakeTimeMs, maxWaitMs: undefined },
      { weightPercent: 100, bakeTimeMs: 0, maxWaitMs: undefined, ...(approvals === undefined ? {} : { approvals }) },
    ],
  }))
  .prefault({});

type OwnPlan = z.output<ReturnType<typeof planFromFile>> & Partial<Pick<RolloutPlan, 'mirrorPercent' | 'endsAtMs'>>;

const fileSchema = z.strictObject({
  strategy: z.enum(STRATEGIES).default('canary').describe('Used when the start of a rollout names none.'),
  ...choices,
  limits: z
    .strictObject({ errorRateMax: errorRateMax.default(0.001), p95MsMax: p95MsMax.default(120), ...shadowLimits })
    .prefault({}),
  minRequests: minRequests.default(100),
  observeEvery: observeEvery.prefault('4s'),
  canary: planFromFile('canary'),
  blueGreen: planFromFile('blue-green'),
  launchRamp: planFromFile('launch-ramp'),
  shadow: shadowFromFile,
  ab: abFromFile,
});

/** `rollout:` of model.yaml. What the plans share is written once; each plan may say otherwise. */
export const rolloutFromFile = fileSchema.transform((file, context): RolloutPolicy => {
  const build = (name: keyof typeof file, strategy: Strategy, own: OwnPlan, keepWarmMs = KEEP_WARM_MS): RolloutPlan => {
    const plan = resolvePlan(file, strategy, own, keepWarmMs);
    for (const { field, message } of checkPlan(plan, name)) {
      context.addIssue({ code: 'custom', path: pathOf(field), message });
    }
    return plan;
  };
  return {
    strategy: file.strategy,
    canary: build('canary', 'canary', file.canary),
    blueGreen: build('blueGreen', 'blue-green', file.blueGreen, BLUE_GREEN_KEEP_WARM_MS),
    launchRamp: build('launchRamp', 'launch-ramp', file.launchRamp),
    shadow: build('shadow', 'shadow', file.shadow),
    ab: build('ab', 'ab', file.ab),
  };
});

function resolvePlan(
  file: z.output<typeof fileSchema>,
  strategy: Strategy,
  own: OwnPlan,
  keepWarmMs: number,
): RolloutPlan {
  const chosen = {
    advance: own.advance ?? file.advance,
    alpha: own.alpha ?? file.alpha,
    warmUpRequests: own.warmUpRequests ?? file.warmUpRequests,
    metrics: own.metrics ?? file.metrics,
    calendar: own.calendar ?? file.calendar,
    baseline: own.baseline ?? file.baseline,
    mirrorPercent: own.mirrorPercent,
    endsAtMs: own.endsAtMs,
  };
  const waits = { maxWaitMs: own.maxWait ?? file.maxWait, onMaxWait: own.onMaxWait ?? file.onMaxWait };
  return {
    strategy,
    steps: resolveSteps(own.steps, waits),
    limits: {
      ...file.limits,
      ...own.limits,
      errorRateMax: own.limits.errorRateMax ?? file.limits.errorRateMax,
      p95MsMax: own.limits.p95MsMax ?? file.limits.p95MsMax,
    },
    minRequests: own.minRequests ?? file.minRequests,
    observeEveryMs: own.observeEvery ?? file.observeEvery,
    keepWarmMs: own.keepWarm ?? file.keepWarm ?? keepWarmMs,
    ...(Object.fromEntries(Object.entries(chosen).filter(([, v]) => v !== undefined)) as Partial<RolloutPlan>),
  };
}

/** `canary.steps[1].maxWaitMs` of a plan as the place in the file: `canary`, `steps`, 1, `maxWait`. */
function pathOf(field: string): PropertyKey[] {
  return field
    .replace(/Ms$/, '')
    .split(/[.[\]]+/)
    .filter((part) => part !== '')
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

const limitsResolved = z.strictObject({ errorRateMax, p95MsMax, ...shadowLimits }) satisfies z.ZodType<RolloutLimits>;

const planResolved = <S extends Strategy>(strategy: S, steps: typeof stepsResolved) =>
  z.strictObject({
    strategy: z.literal(strategy),
    steps,
    limits: limitsResolved,
    minRequests,
    observeEveryMs: z.int().min(OBSERVE_EVERY_MIN_MS).max(HOUR_MS),
    keepWarmMs: durationMs,
    advance: advance.exactOptional(),
    baseline: baseline.exactOptional(),
    alpha: alpha.exactOptional(),
    warmUpRequests: warmUpRequests.exactOptional(),
    metrics: metricsResolved.exactOptional(),
    calendar: calendar.nullable().exactOptional(),
    mirrorPercent: mirrorPercent.exactOptional(),
    endsAtMs: z.int().nullable().exactOptional(),
  });

/** The resolved form, as stored and sent over the API. */
export const rolloutResolved = z.strictObject({
  strategy: z.enum(STRATEGIES),
  canary: planResolved('canary', stepsResolved),
  blueGreen: planResolved('blue-green', stepsResolved),
  launchRamp: planResolved('launch-ramp', stepsResolved).exactOptional(),
  shadow: planResolved('shadow', shadowStepsResolved).exactOptional(),
  ab: planResolved('ab', stepsResolved).exactOptional(),
}) satisfies z.ZodType<RolloutPolicy>;
