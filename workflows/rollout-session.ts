import { CancellationScope, proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { RolloutActivities } from '../activities/contract.ts';
import type { RolloutCommand, RolloutEvent, RolloutState, RouteCommand } from '../domain/rollout/events.ts';
import { decide } from '../domain/rollout/machine.ts';
import { noticesOf } from '../domain/rollout/notices.ts';
import { hasEnded } from '../domain/rollout/progress.ts';
import { snapshot } from '../domain/rollout/snapshot.ts';
import type { Adoption, RolloutSnapshot } from '../domain/rollout/state.ts';
import { PROFILES } from './activity-profiles.ts';
import { codeOf, reasonOf } from './failures.ts';
import { inMarkdown } from './rollout-details.ts';
import { sendAway } from './send-notice.ts';
import { label } from './search-attributes.ts';

const quick = proxyActivities<RolloutActivities>(PROFILES.quick);
/** A proxy of its own: options given with a call are merged into the proxy's, and its bound would stay. */
const insistent = proxyActivities<RolloutActivities>(PROFILES.insistent);
/** Questions that help and must not hold anything up. */
const passing = proxyActivities<RolloutActivities>(PROFILES.passing);
const probing = proxyActivities<RolloutActivities>(PROFILES.probe);

/** After a step, orders wait behind this; what is not adopted by then is seen at the next look. */
const FORWARD_ADOPTION_MS = 1_500;
/** After the way back nothing else is left to do but to know when the last request of the candidate was answered. */
const BACK_ADOPTION_MS = 10_000;

export interface RolloutSession {
  readonly state: () => RolloutState;
  readonly snapshot: () => RolloutSnapshot;
  /** Decides on the event and carries out what follows from it, to the end. */
  readonly send: (event: RolloutEvent) => Promise<void>;
  /** Whether anybody is to be told what happens. */
  readonly listen: (listening: boolean) => void;
  /** What could not be written although the rollout has ended. */
  readonly troubles: readonly string[];
}

export interface SessionOptions {
  /** Told after every event. */
  readonly onChange: (state: RolloutState, nowMs: number) => Promise<void>;
  readonly listening: boolean;
}

/** Keeps the state of one rollout, carries out the machine's commands, and shows where it stands. */
export function createRolloutSession(initial: RolloutState, options: SessionOptions): RolloutSession {
  let state = initial;
  let shownPhase = '';
  let { listening } = options;
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

  async function carryOut(commands: readonly RolloutCommand[]): Promise<void> {
    const queue = [...commands];
    for (let command = queue.shift(); command !== undefined; command = queue.shift()) {
      if (command.kind === 'route') {
        queue.push(...take(await route(state, command)));
        continue;
      }
      try {
        await carryOutOne(state, command);
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
      if (listening) for (const notice of noticesOf(before, state, Date.now())) await sendAway(notice);
      if (hasEnded(state)) return;
      await options.onChange(state, Date.now());
      if (state.phase === before.phase && state.generation === before.generation) return;
      // The list may be behind for a while; the next change brings it up to date.
      await quick.saveProgress({ rolloutId: state.rolloutId, snapshot: now() }).catch(() => undefined);
    });
  };

  show();
  const listen = (wanted: boolean): void => {
    listening = wanted;
  };
  return { state: () => state, snapshot: now, send, listen, troubles };
}

/** What must happen in the end is tried without limit: the way back, and the bookkeeping of an end. */
const mustHappen = (change: RouteCommand): boolean => change.purpose === 'restore' || change.purpose === 'finish';

async function route(state: RolloutState, change: RouteCommand): Promise<RolloutEvent> {
  const { model, rolloutId, salt, plan } = state;
  const doubt = change.purpose === 'restore' ? await championDoubt(model, state.champion) : '';
  const reason = `${change.reason}${doubt}`;
  const summary = `${change.routes.map((r) => `v${r.version} ${r.weightPercent} %`).join(', ')}: ${reason}`;
  const { applyRouting } = mustHappen(change) ? insistent : quick;
  const order = { model, rolloutId, salt, slowMs: plan.limits.p95MsMax, change: { ...change, reason } };
  try {
    const { generation } = await applyRouting.executeWithOptions({ summary }, [order]);
    const timeoutMs = change.purpose === 'restore' ? BACK_ADOPTION_MS : FORWARD_ADOPTION_MS;
    const adoption = await adopted(model, generation, timeoutMs);
    return { kind: 'routed', nowMs: Date.now(), generation, adoption };
  } catch (error) {
    const conflict = codeOf(error) === 'conflict';
    return { kind: 'routingFailed', nowMs: Date.now(), reason: reasonOf(error), conflict };
  }
}

async function carryOutOne(state: RolloutState, command: Exclude<RolloutCommand, RouteCommand>): Promise<void> {
  const { model, rolloutId } = state;
  if (command.kind === 'close') {
    const { reason } = command;
    const closing = { rolloutId, snapshot: snapshot(state, Date.now()), reason };
    await insistent.closeRollout.executeWithOptions({ summary: reason }, [closing]);
  } else if (command.kind === 'quarantine') {
    const { by, reason } = command;
    await insistent.quarantine({ model, version: state.candidate, by, reason });
  } else {
    await (hasEnded(state) ? insistent : quick).setAliases({ model, rolloutId, change: command });
  }
}

/** Asked before the traffic returns to the champion. Whatever the answer, it never blocks the way back. */
async function championDoubt(model: string, champion: number | null): Promise<string> {
  if (champion === null) return '';
  try {
    const { warm, waitingFor } = await probing.probeWarm({ model, version: champion });
    return warm ? '' : ` (version ${champion} is loaded anew by ${waitingFor.join(', ')})`;
  } catch (error) {
    return ` (whether version ${champion} is warm could not be asked: ${reasonOf(error)})`;
  }
}

/** `null`: not known; the next look tells. */
function adopted(model: string, generation: number, timeoutMs: number): Promise<Adoption | null> {
  return passing.awaitAdoption({ model, generation, timeoutMs }).catch(() => null);
}
