import { CancellationScope, proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { RolloutActivities } from '../activities/contract.ts';
import type {
  CloseCommand,
  RolloutCommand,
  RolloutEvent,
  RolloutState,
  RouteCommand,
} from '../domain/rollout/events.ts';
import { decide } from '../domain/rollout/machine.ts';
import { hasEnded } from '../domain/rollout/progress.ts';
import { snapshot } from '../domain/rollout/snapshot.ts';
import type { RolloutSnapshot } from '../domain/rollout/state.ts';
import { PROFILES } from './activity-profiles.ts';
import { codeOf, reasonOf } from './failures.ts';
import { label } from './search-attributes.ts';

const quick = proxyActivities<RolloutActivities>(PROFILES.quick);
/** A proxy of its own: options given with a call are merged into the proxy's, and its bound would stay. */
const insistent = proxyActivities<RolloutActivities>(PROFILES.insistent);

export interface RolloutSession {
  readonly state: () => RolloutState;
  readonly snapshot: () => RolloutSnapshot;
  /** Decides on the event and carries out what follows from it, to the end. */
  readonly send: (event: RolloutEvent) => Promise<void>;
  /** What could not be written although the rollout has ended. */
  readonly troubles: readonly string[];
}

/** Keeps the state of one rollout, carries out the machine's commands, and shows where it stands. */
export function createRolloutSession(initial: RolloutState): RolloutSession {
  let state = initial;
  let shownPhase = '';
  const troubles: string[] = [];

  const take = (event: RolloutEvent): readonly RolloutCommand[] => {
    const decision = decide(state, event);
    state = decision.state;
    show();
    return decision.commands;
  };
  const now = (): RolloutSnapshot => snapshot(state, Date.now());
  const show = (): void => {
    setCurrentDetails(inMarkdown(now()));
    if (shownPhase === state.phase) return;
    shownPhase = state.phase;
    label({ phase: state.phase });
  };

  /** What must happen in the end is tried without limit: the way back, and the bookkeeping of an end. */
  const mustHappen = (change: RouteCommand): boolean => change.purpose === 'restore' || change.purpose === 'finish';

  async function route(change: RouteCommand): Promise<RolloutEvent> {
    const { model, rolloutId, salt, plan } = state;
    const summary = `${change.routes.map((r) => `v${r.version} ${r.weightPercent} %`).join(', ')}: ${change.reason}`;
    const { applyRouting } = mustHappen(change) ? insistent : quick;
    const order = { model, rolloutId, salt, slowMs: plan.limits.p95MsMax, change };
    try {
      const { generation } = await applyRouting.executeWithOptions({ summary }, [order]);
      return { kind: 'routed', nowMs: Date.now(), generation };
    } catch (error) {
      const conflict = codeOf(error) === 'conflict';
      return { kind: 'routingFailed', nowMs: Date.now(), reason: reasonOf(error), conflict };
    }
  }

  async function close({ reason }: CloseCommand): Promise<void> {
    const closing = { rolloutId: state.rolloutId, snapshot: now(), reason };
    await insistent.closeRollout.executeWithOptions({ summary: reason }, [closing]);
  }

  async function carryOut(commands: readonly RolloutCommand[]): Promise<void> {
    const queue = [...commands];
    for (let command = queue.shift(); command !== undefined; command = queue.shift()) {
      if (command.kind === 'route') {
        queue.push(...take(await route(command)));
        continue;
      }
      try {
        if (command.kind === 'close') await close(command);
        else {
          const order = { model: state.model, rolloutId: state.rolloutId, change: command };
          await (hasEnded(state) ? insistent : quick).setAliases(order);
        }
      } catch (error) {
        // An ended rollout goes on to its last command: its row must not stay open.
        if (!hasEnded(state)) throw error;
        troubles.push(reasonOf(error));
      }
    }
  }

  const send = async (event: RolloutEvent): Promise<void> => {
    const before = state;
    // Nothing is cancelled half-way: a cancellation is dealt with between events.
    await CancellationScope.nonCancellable(async () => {
      await carryOut(take(event));
      if (state.phase === before.phase && state.generation === before.generation) return;
      if (hasEnded(state)) return;
      // The list may be behind for a while; the next change brings it up to date.
      await quick.saveProgress({ rolloutId: state.rolloutId, snapshot: now() }).catch(() => undefined);
    });
  };

  show();
  return { state: () => state, snapshot: now, send, troubles };
}

function inMarkdown(s: RolloutSnapshot): string {
  const { now, waitsFor, next } = s.explanation;
  const verdict = s.verdict === null ? 'none yet' : `${s.verdict.kind} (${s.verdict.reason})`;
  return [
    `**${s.model} version ${s.candidate}** (${s.plan.strategy}, ${s.phase})`,
    '',
    `- Now: ${now}`,
    `- Waits for: ${waitsFor}`,
    `- Next: ${next}`,
    `- Verdict: ${verdict}`,
  ].join('\n');
}
