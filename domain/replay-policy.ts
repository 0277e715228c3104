import { createJudge, judgePolicy, observationOf } from './judge.ts';
import { addCounts, NO_COUNTS, type VariantCounts } from './records.ts';
import type { CompletePlan } from './rollout/plan.ts';
import { mergeWindows } from './statistics/merge-windows.ts';
import type { Arm, ArmWindow, Judge, Verdict } from './verdict.ts';

export interface BacktestEvent {
  readonly atMs: number;
  readonly kind: 'step' | 'rolledBack' | 'promoted' | 'asked' | 'ended';
  /** Of the candidate from then on. */
  readonly weightPercent: number;
  readonly reason: string;
}

/** When the policy would have moved, on recorded traffic. */
export interface BacktestResult {
  /** `undecided`: the record ended first, or the plan would have asked a person. */
  readonly outcome: 'promoted' | 'rolledBack' | 'undecided';
  readonly atMs: number | null;
  readonly events: readonly BacktestEvent[];
  readonly verdict: Verdict | null;
  readonly looks: number;
  /** How often it looked: as the plan says, but no more than `LOOKS_MAX` times. */
  readonly lookEveryMs: number;
  /** What the candidate answered of what was replayed. */
  readonly candidate: VariantCounts;
}

/** Bounds the time of a replay to a second or two. */
export const LOOKS_MAX = 2_000;

/**
 * Replays a plan over recorded windows, in order of time. Where the record gave the candidate more traffic than the plan
 * would have, its counters are thinned to the plan's weight; where it gave less, they are taken as they are.
 */
export function replayPolicy(
  plan: CompletePlan,
  windows: readonly ArmWindow[],
  judge: Judge = createJudge(),
): BacktestResult {
  const begin = windows[0]?.startMs ?? 0;
  const last = windows.at(-1);
  const spanMs = last === undefined ? 0 : last.startMs + last.durationMs - begin;
  const lookEveryMs = Math.max(plan.observeEveryMs, Math.ceil(spanMs / LOOKS_MAX));
  const run = createRun(plan, judge, begin);
  let lookAtMs = begin + lookEveryMs;
  const replayed = run.begin() ? windows : [];
  for (const window of replayed) {
    run.add(window);
    const endMs = window.startMs + window.durationMs;
    if (endMs < lookAtMs) continue;
    lookAtMs = endMs + lookEveryMs;
    if (run.look(endMs)) break;
  }
  return { ...run.result(), lookEveryMs };
}

function createRun(plan: CompletePlan, judge: Judge, beginMs: number) {
  const policy = judgePolicy(plan);
  const events: BacktestEvent[] = [];
  let seen: readonly ArmWindow[] = [];
  let step = 0;
  let stepAtMs = beginMs;
  let total: Record<Arm, VariantCounts> = { candidate: NO_COUNTS, baseline: NO_COUNTS, champion: NO_COUNTS };
  let beforeStep = 0;
  let windowsWithTraffic = 0;
  let looks = 0;
  let verdict: Verdict | null = null;
  let outcome: BacktestResult['outcome'] = 'undecided';
  const thin = createThinning();
  const weight = () => plan.steps[step]?.weightPercent ?? 100;
  const note = (atMs: number, kind: BacktestEvent['kind'], weightPercent: number, reason: string) => {
    events.push({ atMs, kind, weightPercent, reason });
    return kind !== 'step';
  };

  /** False: people would have been asked before anything moved. */
  function begin(): boolean {
    const asked = whoIsAsked(plan, 0);
    if (asked === null) return !note(beginMs, 'step', weight(), 'the rollout begins');
    return !note(beginMs, 'asked', 0, asked);
  }

  function add(window: ArmWindow): void {
    const counted = thin(window, weight());
    seen = [...seen, counted];
    if (counted.counts.candidate.requests > 0) windowsWithTraffic += 1;
    total = addArms(total, counted.counts);
  }

  /** True: the replay is over. */
  function look(nowMs: number): boolean {
    looks += 1;
    seen = mergeWindows(seen, nowMs);
    const { candidate, champion } = total;
    const observation = { ...observationOf({ candidate, champion, windows: windowsWithTraffic }), byWindow: seen };
    verdict = judge(observation, policy);
    if (verdict.kind === 'rollback') return rollBack(nowMs, verdict.reason);
    const current = plan.steps[step];
    if (current === undefined) return true;
    const waitedMs = nowMs - stepAtMs;
    const enough = current.weightPercent === 0 || candidate.requests - beforeStep >= Math.max(1, plan.minRequests);
    const ready =
      waitedMs >= current.bakeTimeMs &&
      enough &&
      (current.weightPercent === 0 || carries(plan, verdict, candidate.requests));
    const asked = whoIsAsked(plan, step + 1);
    if (ready) return asked === null ? advance(nowMs, verdict.reason) : note(nowMs, 'asked', weight(), asked);
    if (current.maxWaitMs === undefined || waitedMs < current.maxWaitMs) return false;
    if (current.onMaxWait === 'rollback')
      return rollBack(nowMs, `no verdict within the step's time: ${verdict.reason}`);
    return current.onMaxWait === 'ask' ? note(nowMs, 'asked', weight(), verdict.reason) : false;
  }

  function advance(nowMs: number, reason: string): boolean {
    step += 1;
    stepAtMs = nowMs;
    beforeStep = total.candidate.requests;
    if (weight() < 100) return note(nowMs, 'step', weight(), reason);
    outcome = 'promoted';
    return note(nowMs, 'promoted', 100, reason);
  }

  function rollBack(nowMs: number, reason: string): boolean {
    outcome = 'rolledBack';
    return note(nowMs, 'rolledBack', 0, reason);
  }

  function result(): Omit<BacktestResult, 'lookEveryMs'> {
    const atMs = outcome === 'undecided' ? null : (events.at(-1)?.atMs ?? null);
    return { outcome, atMs, events, verdict, looks, candidate: total.candidate };
  }
  return { begin, add, look, result };
}

function addArms(a: ArmWindow['counts'], b: ArmWindow['counts']): Record<Arm, VariantCounts> {
  return {
    candidate: addCounts(a.candidate, b.candidate),
    baseline: addCounts(a.baseline, b.baseline),
    champion: addCounts(a.champion, b.champion),
  };
}

/** As the machine asks it; requests of the warm-up show nothing. */
function carries(plan: CompletePlan, { kind, evidence, sampleRatio }: Verdict, requests: number): boolean {
  if (sampleRatio?.ok === false || requests <= plan.warmUpRequests) return false;
  if (plan.advance === 'healthy') return kind === 'healthy';
  return !evidence.some((e) => e.action !== 'watch' && e.status === 'breached');
}

/** No record says what people would have answered: the replay ends where they would have been asked. */
function whoIsAsked(plan: CompletePlan, step: number): string | null {
  const rules = plan.steps[step]?.approvals ?? [];
  if (rules.length === 0) return null;
  return `the ${step === 0 ? 'first' : 'next'} step needs the approval of ${rules.map((r) => `${r.persons} x ${r.role}`).join(', ')}`;
}

/** Scales the candidate's and the baseline's counters down; rounding is carried on, so that sums stay true. */
function createThinning() {
  const carried = new Map<string, number>();
  const scale = (key: string, count: number, share: number): number => {
    const exact = count * share + (carried.get(key) ?? 0);
    const whole = Math.floor(exact + 1e-9);
    carried.set(key, exact - whole);
    return whole;
  };
  return (window: ArmWindow, weightPercent: number): ArmWindow => {
    const recorded = window.weights.candidate;
    if (recorded <= weightPercent || recorded === 0) return window;
    const share = weightPercent / recorded;
    const thinned = (arm: 'candidate' | 'baseline'): VariantCounts => {
      const { requests, errors, slow, latencySumMs } = window.counts[arm];
      const kept = scale(`${arm}/requests`, requests, share);
      return {
        requests: kept,
        errors: Math.min(kept, scale(`${arm}/errors`, errors, share)),
        slow: Math.min(kept, scale(`${arm}/slow`, slow, share)),
        latencySumMs: latencySumMs * share,
      };
    };
    // The champion's part stays as recorded, so the counters fit the weights as well as they did.
    const weights = { ...window.weights, candidate: weightPercent, baseline: window.weights.baseline * share };
    return {
      ...window,
      weights,
      counts: { ...window.counts, candidate: thinned('candidate'), baseline: thinned('baseline') },
    };
  };
}
