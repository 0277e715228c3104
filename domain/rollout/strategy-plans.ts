import type { RolloutPolicy } from '../definition.ts';
import type { RolloutPlan, RolloutStep, Strategy } from './plan.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const step = (weightPercent: number, bakeTimeMs = 0): RolloutStep => ({ weightPercent, bakeTimeMs });

/** Steps a definition gets where it names none. */
export const STEPS_BY_DEFAULT: Readonly<Record<Strategy, readonly RolloutStep[]>> = {
  canary: [step(5, 2 * HOUR_MS), step(25, 6 * HOUR_MS), step(50, 12 * HOUR_MS), step(100)],
  // The first step loads and proves the green side before any request reaches it.
  'blue-green': [step(0), step(10, 30 * MINUTE_MS), step(50, HOUR_MS), step(100)],
  'launch-ramp': [step(10, 30 * MINUTE_MS), step(30, 30 * MINUTE_MS), step(60, 30 * MINUTE_MS), step(100)],
  shadow: [step(0, HOUR_MS)],
  ab: [step(50, 24 * HOUR_MS), step(100)],
  'all-at-once': [step(100)],
};

/** The plan a definition has for a strategy. What it does not plan runs as its canary does, by the default steps. */
export function basePlan(policy: RolloutPolicy, strategy: Strategy): RolloutPlan {
  const own = {
    canary: policy.canary,
    'blue-green': policy.blueGreen,
    'launch-ramp': policy.launchRamp,
    shadow: policy.shadow,
    ab: policy.ab,
    'all-at-once': undefined,
  }[strategy];
  if (own !== undefined) return own;
  const { limits, minRequests, observeEveryMs, keepWarmMs, metrics, calendar, alpha, warmUpRequests } = policy.canary;
  const common = { limits, minRequests, observeEveryMs, keepWarmMs };
  const chosen = Object.entries({ metrics, calendar, alpha, warmUpRequests }).filter(
    ([, value]) => value !== undefined,
  );
  return { ...common, ...Object.fromEntries(chosen), strategy, steps: STEPS_BY_DEFAULT[strategy] };
}
