import { z } from 'zod';
import type { RolloutStep } from '../../domain/rollout/plan.ts';
import { durationSchema } from './duration.ts';
import { approvalFromFile, approvalResolved, maxWait, onMaxWait } from './rollout-choices-schema.ts';

/** A plan with more steps than this is a typing mistake; each step is at least one routing change. */
const STEPS_MAX = 50;

const weightPercent = z
  .number()
  .min(0)
  .max(100)
  .multipleOf(0.01)
  .describe('Share of traffic the candidate gets, in percent, in steps of 0.01.');

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
    maxWait: maxWait.optional(),
    onMaxWait: onMaxWait.optional(),
    approvals: z.array(approvalFromFile).optional().describe('Who has to agree before the step begins.'),
  })
  .transform(({ bakeTime: bakeTimeMs, maxWait: maxWaitMs, ...step }) => ({ ...step, bakeTimeMs, maxWaitMs }));

export const stepsFromFile = z
  .array(stepFromFile)
  .min(1)
  .max(STEPS_MAX)
  .superRefine((steps, context) =>
    checkSteps(steps, 'bakeTime', (path, message) => context.addIssue({ code: 'custom', path, message })),
  )
  .describe('Weights grow from step to step and end at 100.');

export type StepsFromFile = z.input<typeof stepsFromFile>;

/** What every step of a plan waits by, where it does not say otherwise itself. */
export interface WaitRules {
  readonly maxWaitMs: number | undefined;
  readonly onMaxWait: RolloutStep['onMaxWait'];
}

export function resolveSteps(steps: z.output<typeof stepsFromFile>, common: WaitRules): readonly RolloutStep[] {
  return steps.map((s) => {
    const bakeTimeMs = s.bakeTimeMs ?? 0;
    // Of a step that is watched for longer than the common limit, the bake time is the limit.
    const shared = common.maxWaitMs === undefined ? undefined : Math.max(common.maxWaitMs, bakeTimeMs);
    const maxWaitMs = s.weightPercent >= 100 ? s.maxWaitMs : (s.maxWaitMs ?? shared);
    const policy = s.onMaxWait ?? (maxWaitMs === undefined ? undefined : common.onMaxWait);
    return {
      weightPercent: s.weightPercent,
      bakeTimeMs,
      ...(maxWaitMs === undefined ? {} : { maxWaitMs }),
      ...(policy === undefined ? {} : { onMaxWait: policy }),
      ...(s.approvals === undefined ? {} : { approvals: s.approvals }),
    };
  });
}

export const durationMs = z.int().min(0).max(31_536_000_000);
const stepResolved = z.strictObject({
  weightPercent,
  bakeTimeMs: durationMs,
  maxWaitMs: durationMs.exactOptional(),
  onMaxWait: onMaxWait.exactOptional(),
  approvals: z.array(approvalResolved).exactOptional(),
}) satisfies z.ZodType<RolloutStep>;

export const stepsResolved = z
  .array(stepResolved)
  .min(1)
  .max(STEPS_MAX)
  .superRefine((steps, context) =>
    checkSteps(steps, 'bakeTimeMs', (path, message) => context.addIssue({ code: 'custom', path, message })),
  );
/** A shadow has one step, of 0 %. */
export const shadowStepsResolved = z.array(stepResolved).length(1);
