import type { RolloutRow } from '../../db/ports.ts';
import type { LedgerEntry, LookRow } from '../../db/rollout-ports.ts';
import type { RolloutPlan } from '../../domain/rollout/plan.ts';
import type { Route } from '../../domain/routing.ts';
import type { Evidence, Verdict } from '../../domain/verdict.ts';

/** Points of each line of the plot: more than it has pixels. The first, the last and every change are kept. */
const POINTS_MAX = 1_000;

export interface ReportChange {
  readonly at: string;
  readonly generation: number;
  readonly routes: readonly Route[];
  readonly decided_by: string;
  readonly reason: string;
  readonly evidence: Verdict | null;
}

export interface ReportPoint {
  readonly at: string;
  readonly step: number;
  readonly phase: string;
  readonly weights: Readonly<Record<string, number>>;
  readonly requests: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
  readonly verdict: Verdict['kind'];
  readonly evidence: readonly {
    readonly metric: string;
    readonly eValue: number;
    readonly threshold: number;
    readonly healthEValue: number | null;
  }[];
}

/** Everything a reader of a finished rollout asks. Times are ISO 8601. */
export interface RolloutReport {
  readonly rollout_id: string;
  readonly model: string;
  readonly candidate: number;
  readonly champion: number | null;
  readonly strategy: string;
  readonly outcome: string;
  readonly reason: string | null;
  readonly started_by: string;
  readonly started_at: string;
  /** `null`: still open. */
  readonly finished_at: string | null;
  readonly duration_ms: number;
  readonly plan: RolloutPlan;
  readonly verdict: Verdict | null;
  readonly changes: readonly ReportChange[];
  readonly looks: readonly ReportPoint[];
}

export function buildReport(
  row: RolloutRow,
  looks: readonly LookRow[],
  ledger: readonly LedgerEntry[],
  nowMs: number,
): RolloutReport {
  const startedMs = row.startedAt.getTime();
  const endedMs = row.finishedAt?.getTime() ?? nowMs;
  const own = ledger.filter((entry) => entry.validFrom.getTime() <= endedMs || entry.rolloutId === row.id);
  return {
    rollout_id: row.id,
    model: row.model,
    candidate: row.candidate,
    champion: row.champion,
    strategy: row.plan.strategy,
    outcome: row.phase,
    reason: row.reason,
    started_by: row.startedBy,
    started_at: row.startedAt.toISOString(),
    finished_at: row.finishedAt?.toISOString() ?? null,
    duration_ms: endedMs - startedMs,
    plan: row.plan,
    // Not every look is kept, and the last may be one of those that are not.
    verdict: row.snapshot?.verdict ?? looks.at(-1)?.verdict ?? null,
    changes: own.map(toChange),
    looks: thinned(looks).map(toPoint),
  };
}

function toChange({ validFrom, generation, routes, changedBy, reason, evidence }: LedgerEntry): ReportChange {
  return { at: validFrom.toISOString(), generation, routes, decided_by: changedBy, reason, evidence };
}

function thinned(looks: readonly LookRow[]): readonly LookRow[] {
  const every = Math.ceil(looks.length / POINTS_MAX);
  return looks.filter((look, i) => {
    const before = looks[i - 1];
    return i % every === 0 || i === looks.length - 1 || before?.step !== look.step || before.phase !== look.phase;
  });
}

function toPoint(look: LookRow): ReportPoint {
  const counts = Object.entries(look.counts);
  return {
    at: new Date(look.lookAtMs).toISOString(),
    step: look.step,
    phase: look.phase,
    weights: Object.fromEntries(look.weights.map((r) => [r.variant, r.weightPercent])),
    requests: Object.fromEntries(counts.map(([arm, c]) => [arm, c.requests])),
    errors: Object.fromEntries(counts.map(([arm, c]) => [arm, c.errors])),
    verdict: look.verdict.kind,
    evidence: look.verdict.evidence.map((e) => ({
      metric: nameOf(e),
      eValue: e.eValue,
      threshold: e.threshold,
      healthEValue: e.healthEValue ?? null,
    })),
  };
}

export const nameOf = ({ metric, event }: Pick<Evidence, 'metric' | 'event'>): string =>
  event === undefined ? metric : `${metric} ${event}`;
