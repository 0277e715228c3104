import { describeRule, evidenceHash, targetStep } from './approvals.ts';
import { blockers, type Blocker } from './blockers.ts';
import type { RolloutState } from './events.ts';
import { activePhase, inKeepWarm, waitEndsAtMs } from './progress.ts';
import type { RolloutSnapshot } from './state.ts';
import type { Evidence } from '../verdict.ts';

type Explanation = RolloutSnapshot['explanation'];

/** What is happening, what it waits for, what comes next: in words, for whoever looks. */
export function explain(state: RolloutState, nowMs: number): Explanation {
  const candidate = `version ${state.candidate}`;
  const champion = state.champion === null ? 'no version' : `version ${state.champion}`;
  const because = state.reason === null ? '' : `: ${state.reason}`;
  switch (state.phase) {
    case 'starting':
      return {
        now: `the rollout of ${state.model} ${candidate} begins (${state.plan.strategy})`,
        waitsFor: blockers(state, nowMs).length === 0 ? 'the first change of the routing' : waits(state, nowMs),
        next: state.champion === null ? `${candidate} answers every request` : nextStep(state),
      };
    case 'running':
      return { now: share(state), waitsFor: waits(state, nowMs), next: nextStep(state) };
    case 'paused':
      return {
        now: `paused (${state.reason ?? 'by hand'}); ${share(state)}`,
        waitsFor: 'a person: resume, promote, abort or rollback',
        next: `watching goes on, and a breach of the limits still sends the traffic back to ${champion}`,
      };
    case 'frozen':
      return {
        now: `frozen (${state.reason ?? 'by hand'}); ${share(state)}`,
        waitsFor: 'a person: resume, promote, abort or rollback',
        next: `nothing moves by itself, whatever is observed${state.heldTrigger === null ? '' : `; after resume it goes back (${state.heldTrigger.kind})`}`,
      };
    case 'keepWarm':
      return {
        now: `${candidate} answers every request; ${champion} is kept warm for a way back`,
        waitsFor: waits(state, nowMs),
        next: `${champion} is taken out, and the rollout ends as promoted`,
      };
    case 'rollingBack':
      return {
        now: `the traffic of ${state.model} goes back to ${champion}${because}`,
        waitsFor: 'the change of the routing',
        next: 'the rollout ends',
      };
    case 'promoted':
      return { now: `${candidate} is the champion${because}`, waitsFor: 'nothing', next: 'nothing' };
    case 'concluded':
      return { now: `ended, ${champion} serves on${because}`, waitsFor: 'nothing', next: 'nothing' };
    case 'rolledBack':
    case 'aborted': {
      const word = state.phase === 'aborted' ? 'aborted' : 'rolled back';
      return { now: `${word}, ${champion} serves${because}`, waitsFor: 'nothing', next: 'nothing' };
    }
  }
}

function share(state: RolloutState): string {
  if (inKeepWarm(state))
    return `version ${state.candidate} answers every request, version ${state.champion ?? '-'} is warm`;
  if (activePhase(state) === 'starting') return 'no request has reached the candidate';
  if (state.plan.strategy === 'shadow') {
    return `version ${state.candidate} gets copies of ${state.plan.mirrorPercent} % of the requests and answers nobody`;
  }
  const step = `step ${state.stepIndex + 1} of ${state.plan.steps.length}`;
  const baseline = state.routes.find((r) => r.variant === 'baseline');
  const beside = baseline === undefined ? '' : `, compared with ${baseline.weightPercent} % of the champion's`;
  return `version ${state.candidate} answers ${state.weightPercent} % of the requests${beside} (${step})`;
}

function waits(state: RolloutState, nowMs: number): string {
  const found = blockers(state, nowMs);
  const parts = found.map((b) => waitsForOne(state, b, nowMs));
  if (parts.length === 0) return 'the next look at the counters';
  const endsAtMs = waitEndsAtMs(state, nowMs);
  return `${parts.join(', and ')}${endsAtMs === null ? '' : waitLimit(state, endsAtMs - nowMs)}`;
}

function waitLimit(state: RolloutState, leftMs: number): string {
  const policy = state.plan.steps[state.stepIndex]?.onMaxWait ?? (state.plan.endsAtMs === null ? 'hold' : 'rollback');
  if (leftMs <= 0) return '; it has waited as long as planned, and holds';
  const then = { hold: 'it holds', rollback: 'it goes back', ask: 'a person is asked' }[policy];
  return `; after ${inWords(leftMs)} ${then}`;
}

function waitsForOne(state: RolloutState, blocker: Blocker, nowMs: number): string {
  switch (blocker.kind) {
    case 'bake':
      return `${inWords(blocker.leftMs)} of watching`;
    case 'traffic': {
      const who = state.plan.strategy === 'shadow' ? 'compared with' : 'answered by';
      return `traffic: ${blocker.requests} of ${blocker.min} requests ${who} version ${state.candidate}`;
    }
    case 'evidence':
      return `evidence: ${evidenceLeft(state) ?? blocker.reason}`;
    case 'adoption':
      return `every process to follow generation ${state.generation} (missing: ${blocker.waitingFor.join(', ')})`;
    case 'approvals': {
      const who = blocker.rules.map((rule) => describeRule(state, rule, nowMs)).join(' and of ');
      return `the approval of ${who} for step ${targetStep(state) + 1} on evidence ${evidenceHash(state)}`;
    }
    case 'hold': {
      const { untilMs, kind, reason } = blocker.hold;
      const until = untilMs === null ? '' : ` until ${new Date(untilMs).toISOString()}`;
      return kind === 'stopTheLine' ? `stop-the-line to be lifted: ${reason}` : `the calendar${until}: ${reason}`;
    }
    case 'group':
      return `the other models of the group to be ready for step ${blocker.step + 1}`;
  }
}

/** The metrics whose health is not shown, each with how far it is; `null` where the judge gives no numbers. */
function evidenceLeft({ plan, verdict }: RolloutState): string | null {
  if (plan.advance !== 'healthy' || verdict === null) return null;
  const open = verdict.evidence.filter((e) => e.action !== 'watch' && e.status !== undefined && e.status !== 'healthy');
  const known = open.filter((e) => e.healthEValue !== undefined);
  if (known.length === 0) return null;
  return known.map((e) => howFar(e)).join('; ');
}

function howFar(e: Evidence): string {
  const name = e.event ?? e.metric;
  const { healthEValue = 0, healthThreshold = e.threshold } = e;
  return `${name} shown healthy with ${short(healthEValue)} of ${short(healthThreshold)}, against it ${short(e.eValue)} of ${short(e.threshold)}`;
}

function short(value: number): string {
  return value !== 0 && (value >= 1e6 || value < 1e-3) ? value.toExponential(1) : String(Number(value.toPrecision(3)));
}

function nextStep(state: RolloutState): string {
  const { plan, candidate, champion } = state;
  const step = plan.steps[targetStep(state)];
  const limits = `over ${percent(plan.limits.errorRateMax)} errors or a p95 over ${plan.limits.p95MsMax} ms`;
  const back = `back to version ${champion ?? '-'} when it is shown to be ${limits}`;
  if (plan.strategy === 'shadow') {
    return step === undefined
      ? 'the rollout ends with the verdict on the copies'
      : `copies of ${plan.mirrorPercent} % of the requests go to version ${candidate} as well`;
  }
  return `${step?.weightPercent ?? 100} % to version ${candidate}; ${back}`;
}

function percent(value: number): string {
  return `${Number((value * 100).toPrecision(3))} %`;
}

/** A duration for a person: `45 s`, `3 min 20 s`, `2 h 5 min`. */
function inWords(durationMs: number): string {
  const seconds = Math.max(1, Math.ceil(durationMs / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}
