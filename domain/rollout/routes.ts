import type { Route } from '../routing.ts';
import type { RolloutState } from './events.ts';

/** Weights come in steps of 0.01: computed in those, so that float sums do not matter. */
const rounded = (percent: number): number => Math.round(percent * 100) / 100;

/**
 * The candidate's weight, a baseline of the champion's version as large as it where the plan wants one, and the
 * champion's rest. A shadow leaves the champion everything.
 */
export function splitRoutes(state: RolloutState, weightPercent: number): readonly Route[] {
  const { champion, candidate: version, plan } = state;
  if (champion === null) return [{ variant: 'candidate', version, weightPercent }];
  if (plan.strategy === 'shadow') {
    const shadow: Route = { variant: 'shadow', version, weightPercent: 0, mirrorPercent: plan.mirrorPercent };
    return [...aloneRoutes(champion), shadow];
  }
  const rest = rounded(100 - weightPercent);
  const control = plan.baseline && weightPercent > 0 ? Math.min(weightPercent, rest) : 0;
  const routes: Route[] = [{ variant: 'champion', version: champion, weightPercent: rounded(rest - control) }];
  if (control > 0) routes.push({ variant: 'baseline', version: champion, weightPercent: control });
  return [...routes, { variant: 'candidate', version, weightPercent }];
}

export function aloneRoutes(version: number): readonly Route[] {
  return [{ variant: 'champion', version, weightPercent: 100 }];
}

/** Share of the traffic that a version answers. */
export function weightOf(routes: readonly Route[], version: number): number {
  return rounded(routes.filter((r) => r.version === version).reduce((sum, r) => sum + r.weightPercent, 0));
}
