import type { RolloutState } from './events.ts';
import { bakedMs, bakeTimeMs, hasEnded, inKeepWarm, missingRequests, stepRequests } from './progress.ts';
import type { RolloutSnapshot } from './state.ts';

/** What queries, lists and the Temporal UI show. `nowMs`: epoch ms. */
export function snapshot(state: RolloutState, nowMs: number): RolloutSnapshot {
  const ticking = state.clockStartedAtMs !== null && !hasEnded(state);
  return {
    rolloutId: state.rolloutId,
    model: state.model,
    candidate: state.candidate,
    champion: state.champion,
    plan: state.plan,
    phase: state.phase,
    stepIndex: state.stepIndex,
    weightPercent: state.weightPercent,
    generation: state.generation,
    routes: state.routes,
    verdict: state.verdict,
    explanation: explain(state, nowMs),
    startedAtMs: state.startedAtMs,
    stepStartedAtMs: state.stepStartedAtMs,
    stepEndsAtMs: ticking ? state.clockStartedAtMs + bakeTimeMs(state) - state.bakedMs : null,
    reason: state.reason,
  };
}

function explain(state: RolloutState, nowMs: number): RolloutSnapshot['explanation'] {
  const candidate = `version ${state.candidate}`;
  const champion = state.champion === null ? 'no version' : `version ${state.champion}`;
  const because = state.reason === null ? '' : `: ${state.reason}`;
  switch (state.phase) {
    case 'starting':
      return {
        now: `the rollout of ${state.model} ${candidate} begins (${state.plan.strategy})`,
        waitsFor: 'the first change of the routing',
        next: state.champion === null ? `${candidate} answers every request` : nextWeight(state, 0),
      };
    case 'running':
      return { now: share(state), waitsFor: waits(state, nowMs), next: nextWeight(state, state.stepIndex + 1) };
    case 'paused':
    case 'frozen':
      return {
        now: `paused (${state.reason ?? 'by hand'}); ${share(state)}`,
        waitsFor: 'a person: resume, promote, abort or rollback',
        next: `watching goes on, and a breach of the limits still sends the traffic back to ${champion}`,
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
    case 'rolledBack':
    case 'concluded':
    case 'aborted': {
      const word = state.phase === 'aborted' ? 'aborted' : 'rolled back';
      return { now: `${word}, ${champion} serves${because}`, waitsFor: 'nothing', next: 'nothing' };
    }
  }
}

function share(state: RolloutState): string {
  if (inKeepWarm(state))
    return `version ${state.candidate} answers every request, version ${state.champion ?? '-'} is warm`;
  const step = `step ${state.stepIndex + 1} of ${state.plan.steps.length}`;
  return `version ${state.candidate} answers ${state.weightPercent} % of the requests (${step})`;
}

function waits(state: RolloutState, nowMs: number): string {
  const left = bakeTimeMs(state) - bakedMs(state, nowMs);
  const missing = missingRequests(state);
  const parts: string[] = [];
  if (left > 0) parts.push(`${inWords(left)} of watching`);
  if (missing > 0) {
    parts.push(
      `traffic: ${stepRequests(state)} of ${state.plan.minRequests} requests answered by version ${state.candidate}`,
    );
  }
  return parts.length === 0 ? 'the next look at the counters' : parts.join(', and ');
}

function nextWeight(state: RolloutState, stepIndex: number): string {
  const target = state.plan.steps[stepIndex];
  const weight = target === undefined ? 100 : target.weightPercent;
  const limits = `over ${percent(state.plan.limits.errorRateMax)} errors or a p95 over ${state.plan.limits.p95MsMax} ms`;
  return `${weight} % to version ${state.candidate}; back to version ${state.champion ?? '-'} when it is shown to be ${limits}`;
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`;
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
