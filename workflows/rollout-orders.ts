import { condition, defineSignal, defineUpdate, setHandler } from '@temporalio/workflow';
import type { ApprovalOrder, Order, RolloutEvent } from '../domain/rollout/events.ts';
import type { OrderDraft } from '../domain/rollout/orders.ts';
import type { RolloutSnapshot } from '../domain/rollout/state.ts';
import { parseApprovalInput, parseCommandInput, readRelease, readTrigger } from '../domain/workflow-input.ts';
import { failure, requireInput } from './failures.ts';
import {
  ROLLOUT_APPROVE_UPDATE,
  ROLLOUT_COMMANDS,
  ROLLOUT_RELEASE_SIGNAL,
  ROLLOUT_TRIGGER_SIGNAL,
  type RolloutApprovalInput,
  type RolloutApprovalResult,
  type RolloutCommandInput,
  type RolloutCommandName,
  type RolloutCommandResult,
  type RolloutTriggerInput,
} from './messages.ts';

const DESCRIPTIONS: Readonly<Record<RolloutCommandName, string>> = {
  promote: 'Gives the candidate all traffic now, without the remaining steps; at 100 % it ends the keeping warm.',
  pause: 'Keeps the weights as they are. Watching goes on and can still roll back.',
  resume: 'Goes on after a pause or a freeze; the bake time goes on where it stood.',
  freeze: 'Keeps everything as it is: nothing moves by itself, not even an automatic rollback, until resume.',
  skipBake: 'Ends the bake time of this step; evidence, traffic and approvals are still waited for.',
  abort: 'Gives the champion all traffic and ends the rollout as aborted.',
  rollback: 'Gives the champion all traffic and ends the rollout as rolled back.',
};
const SAMPLE = 'Argument: nothing, or {"by":"you","reason":"why","expiresAt":"2030-01-31T12:00:00Z"}.';
const APPROVE =
  'Agrees to the next step, or rejects it. Argument: {"by":"you","role":"security","evidenceHash":"as shown in the current details","decision":"approve"}; reason and expiresAt as for the other commands.';

type Draft = Omit<Order, 'nowMs'> | Omit<ApprovalOrder, 'nowMs'>;

/** An order somebody waits for. `answer` is set once the rollout has dealt with it. */
export interface Ticket {
  readonly order: Draft;
  answer: { readonly refused: string } | { readonly status: RolloutSnapshot } | null;
}

/** What a signal says; nobody waits for it. */
export type Note = Extract<RolloutEvent, { kind: 'trigger' | 'release' }>;

export interface Inbox {
  /** The oldest order or note not dealt with. */
  readonly take: () => Ticket | Note | undefined;
  readonly isEmpty: () => boolean;
}

export const isTicket = (entry: Ticket | Note): entry is Ticket => 'order' in entry;

/**
 * Takes orders as updates, and calls from outside as signals, and queues them for the rollout's one loop, so that no
 * two ever act at the same time. `refuse` answers why an order does not apply now, `null` when it does.
 */
export function receiveOrders(refuse: (order: OrderDraft) => string | null): Inbox {
  const queue: (Ticket | Note)[] = [];
  const carryOut = async (order: Draft): Promise<RolloutSnapshot> => {
    const ticket: Ticket = { order, answer: null };
    queue.push(ticket);
    await condition(() => ticket.answer !== null);
    const answer = ticket.answer as Exclude<Ticket['answer'], null>;
    if ('refused' in answer) throw failure('refused', answer.refused);
    return answer.status;
  };
  const check = (order: OrderDraft): void => {
    const reason = refuse(order);
    if (reason !== null) throw failure('refused', reason);
  };
  for (const kind of ROLLOUT_COMMANDS) {
    const update = defineUpdate<RolloutCommandResult, [RolloutCommandInput?]>(kind);
    const read = (raw?: RolloutCommandInput): Draft => ({ kind, ...requireInput(parseCommandInput(raw)) });
    const handle = async (raw?: RolloutCommandInput): Promise<RolloutCommandResult> => ({
      applied: kind,
      status: await carryOut(read(raw)),
    });
    const validator = (raw?: RolloutCommandInput): void => check(read(raw));
    setHandler(update, handle, { validator, description: `${DESCRIPTIONS[kind]} ${SAMPLE}` });
  }
  receiveApprovals(carryOut, check);
  setHandler(defineSignal<[RolloutTriggerInput]>(ROLLOUT_TRIGGER_SIGNAL), (raw) => {
    queue.push({ kind: 'trigger', nowMs: Date.now(), trigger: readTrigger(raw) });
  });
  setHandler(defineSignal<[number]>(ROLLOUT_RELEASE_SIGNAL), (raw) => {
    queue.push({ kind: 'release', nowMs: Date.now(), upToStep: readRelease(raw) });
  });
  return { take: () => queue.shift(), isEmpty: () => queue.length === 0 };
}

function receiveApprovals(
  carryOut: (order: Draft) => Promise<RolloutSnapshot>,
  check: (order: OrderDraft) => void,
): void {
  const update = defineUpdate<RolloutApprovalResult, [RolloutApprovalInput]>(ROLLOUT_APPROVE_UPDATE);
  const read = (raw: RolloutApprovalInput) => ({ kind: 'approve' as const, ...requireInput(parseApprovalInput(raw)) });
  const handle = async (raw: RolloutApprovalInput): Promise<RolloutApprovalResult> => {
    const order = read(raw);
    return { applied: order.decision, status: await carryOut(order) };
  };
  const validator = (raw: RolloutApprovalInput): void => check(read(raw));
  setHandler(update, handle, { validator, description: APPROVE });
}
