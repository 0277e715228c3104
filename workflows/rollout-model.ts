import {
  allHandlersFinished,
  CancelledFailure,
  CancellationScope,
  condition,
  continueAsNew,
  ContinueAsNew,
  defineQuery,
  isCancellation,
  patched,
  proxyActivities,
  setHandler,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import type { Look, RolloutActivities } from '../activities/contract.ts';
import { blockers } from '../domain/rollout/blockers.ts';
import type { Outcome, RolloutState } from '../domain/rollout/events.ts';
import { openState } from '../domain/rollout/open-state.ts';
import { refusal } from '../domain/rollout/orders.ts';
import { hasEnded, nextLookAtMs } from '../domain/rollout/progress.ts';
import type { Hold } from '../domain/rollout/state.ts';
import { parseRolloutInput, type RolloutInput } from '../domain/workflow-input.ts';
import { PROFILES } from './activity-profiles.ts';
import { explained, failure, reasonOf, requireInput } from './failures.ts';
import {
  ROLLOUT_STATUS_QUERY,
  type RolloutModelInput,
  type RolloutModelResult,
  type RolloutStatus,
} from './messages.ts';
import { createGroupMember } from './rollout-member.ts';
import { isTicket, receiveOrders, type Inbox, type Note, type Ticket } from './rollout-orders.ts';
import { createRolloutSession, type RolloutSession } from './rollout-session.ts';
import { label } from './search-attributes.ts';

const quick = proxyActivities<RolloutActivities>(PROFILES.quick);
const watch = proxyActivities<RolloutActivities>(PROFILES.watch);
const status = defineQuery<RolloutStatus>(ROLLOUT_STATUS_QUERY);

/**
 * Moves the traffic of a model to a version, step by step, and back when it is worse than its limits allow.
 * Sample input: `{"model":"NAME","version":2,"strategy":"canary"}`; the second argument is its own continuation.
 */
export async function rolloutModel(raw: RolloutModelInput, carried?: RolloutState): Promise<RolloutModelResult> {
  const input = requireInput(parseRolloutInput(raw));
  let session: RolloutSession | null = null;
  const description = 'Where the rollout stands, in words and numbers. Takes no argument.';
  setHandler(status, () => session?.snapshot() ?? null, { description });
  const inbox = receiveOrders((order) => (session === null ? null : refusal(session.state(), order, Date.now())));
  label({ model: input.model, version: input.version, ...(carried === undefined ? { phase: 'starting' } : {}) });
  let opened: Opened | null = null;
  try {
    let state = carried;
    if (state === undefined) {
      opened = await open(input);
      state = opened.state;
    }
    session = createRolloutSession(state, {
      onChange: createGroupMember(input),
      listening: opened?.listening ?? false,
    });
  } catch (error) {
    await refuseAll(inbox, 'the rollout could not be opened');
    throw explained(error);
  }
  label({ strategy: session.state().plan.strategy });
  try {
    if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('cancelled while it was opened');
    if (opened !== null) await session.send({ kind: 'start', nowMs: Date.now(), hold: opened.hold });
    await follow(session, inbox, (state) => continueAsNew<typeof rolloutModel>(raw, state));
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    await giveBack(session, error);
    if (!isCancellation(error)) return await conclude(session, inbox);
    await refuseAll(inbox, 'the rollout was cancelled');
    throw error;
  }
  return conclude(session, inbox);
}

interface Opened {
  readonly state: RolloutState;
  readonly hold: Hold | null;
  readonly listening: boolean;
}

/** Not cancellable: a row that was opened must be known to the one who closes it. */
function open(input: RolloutInput): Promise<Opened> {
  return CancellationScope.nonCancellable(async () => {
    const { workflowId, firstExecutionRunId: runId } = workflowInfo();
    const rolloutId = uuid4();
    const { group, ...request } = input;
    const { model, version, requestedBy } = input;
    const opened = await quick.openRollout({ ...request, rolloutId, workflowId, runId });
    const facts = { rolloutId, model, candidate: version, salt: uuid4(), requestedBy, nowMs: Date.now() };
    const bindsWatched = patched('approvals-bind-watched-metrics');
    const state = openState({ ...opened, ...facts, inGroup: group !== undefined, bindsWatched });
    return { state, hold: opened.hold ?? null, listening: opened.listening ?? false };
  });
}

/** The loop: an order when there is one, else a look at the counters when it is due. */
async function follow(
  session: RolloutSession,
  inbox: Inbox,
  startAnew: (state: RolloutState) => Promise<never>,
): Promise<void> {
  const { observeEveryMs } = session.state().plan;
  let lookDueAtMs = Date.now() + observeEveryMs;
  while (!hasEnded(session.state())) {
    const entry = inbox.take();
    if (entry !== undefined) {
      // What an order makes possible is looked at without delay.
      if (await obey(session, entry)) lookDueAtMs = Date.now();
    } else if (workflowInfo().continueAsNewSuggested) {
      await condition(() => allHandlersFinished() || !inbox.isEmpty());
      if (inbox.isEmpty()) await startAnew(session.state());
    } else {
      const wakeAtMs = Math.min(lookDueAtMs, nextLookAtMs(session.state(), Date.now()));
      if (await condition(() => !inbox.isEmpty(), Math.max(1, wakeAtMs - Date.now()))) continue;
      const look = await lookUnlessOrdered(session.state(), inbox);
      if (look === 'ordered') continue;
      lookDueAtMs = Date.now() + observeEveryMs;
      if (look === 'unseen') continue;
      session.listen(look.listening ?? false);
      await session.send({ kind: 'observed', nowMs: Date.now(), ...look });
    }
  }
}

/**
 * An order does not wait for counters that cannot be read for a while; the look is then made after it. A frozen rollout
 * does not even mind that it sees nothing.
 */
async function lookUnlessOrdered(state: RolloutState, inbox: Inbox): Promise<Look | 'ordered' | 'unseen'> {
  const { rolloutId, model, startedAtMs, plan, stepIndex, phase, generation, routes } = state;
  const look = { rolloutId, model, sinceMs: startedAtMs, plan, stepIndex, phase, generation, routes };
  const scope = new CancellationScope();
  try {
    return await scope.run(() =>
      Promise.race([
        watch.observe({ ...look, lookAtMs: Date.now() }),
        condition(() => !inbox.isEmpty()).then(() => 'ordered' as const),
      ]),
    );
  } catch (error) {
    if (isCancellation(error) || phase !== 'frozen') throw error;
    return 'unseen';
  } finally {
    scope.cancel();
  }
}

/** Answers whether a look is worth it now: the rollout may be ready for its next step, or is called back. */
async function obey(session: RolloutSession, entry: Ticket | Note): Promise<boolean> {
  const nowMs = Date.now();
  if (!isTicket(entry)) await session.send(entry);
  else {
    const refused = refusal(session.state(), entry.order, nowMs);
    if (refused === null) await session.send({ ...entry.order, nowMs });
    entry.answer = refused === null ? { status: session.snapshot() } : { refused };
    if (refused !== null) return false;
  }
  const state = session.state();
  const moving = state.phase === 'starting' || state.phase === 'running' || state.phase === 'keepWarm';
  return moving && (state.heldTrigger !== null || blockers(state, nowMs).length === 0);
}

/** Whatever broke, or whoever cancelled: the traffic goes back to the champion. */
async function giveBack(session: RolloutSession, error: unknown): Promise<void> {
  const reason = isCancellation(error) ? 'the workflow was cancelled' : `it could not go on: ${reasonOf(error)}`;
  await session.send({ kind: 'failed', nowMs: Date.now(), reason });
}

/** Answers everybody who still waits, so that no update is left open when the workflow closes. */
function refuseAll(inbox: Inbox, refused: string): Promise<void> {
  return CancellationScope.nonCancellable(async () => {
    do {
      for (let entry = inbox.take(); entry !== undefined; entry = inbox.take()) {
        if (isTicket(entry)) entry.answer = { refused };
      }
      await condition(() => allHandlersFinished() || !inbox.isEmpty());
    } while (!inbox.isEmpty());
  });
}

async function conclude(session: RolloutSession, inbox: Inbox): Promise<RolloutModelResult> {
  await refuseAll(inbox, 'the rollout has ended');
  const { rolloutId, model, candidate, phase, reason } = session.state();
  if (session.troubles.length > 0) {
    const message = `The rollout of ${model} version ${candidate} ended (${phase}: ${reason ?? ''}), but not all of it could be written: ${session.troubles.join('; ')}`;
    throw failure('internal', message);
  }
  return { rolloutId, model, version: candidate, outcome: phase as Outcome, reason: reason ?? '' };
}
