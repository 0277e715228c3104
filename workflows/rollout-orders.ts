import { condition, defineUpdate, setHandler } from '@temporalio/workflow';
import type { Order } from '../domain/rollout/events.ts';
import { parseCommandInput } from '../domain/workflow-input.ts';
import { failure, requireInput } from './failures.ts';
import {
  ROLLOUT_COMMANDS,
  type RolloutCommandInput,
  type RolloutCommandName,
  type RolloutCommandResult,
} from './messages.ts';
import type { RolloutSnapshot } from '../domain/rollout/state.ts';

const DESCRIPTIONS: Readonly<Record<RolloutCommandName, string>> = {
  promote: 'Gives the candidate all traffic now, without the remaining steps; at 100 % it ends the keeping warm.',
  pause: 'Keeps the weights as they are. Watching goes on and can still roll back.',
  resume: 'Goes on after a pause; the bake time goes on where it stood.',
  freeze: 'Keeps everything as it is: nothing moves by itself, not even an automatic rollback, until resume.',
  skipBake: 'Ends the bake time of this step; evidence, traffic and approvals are still waited for.',
  abort: 'Gives the champion all traffic and ends the rollout as aborted.',
  rollback: 'Gives the champion all traffic and ends the rollout as rolled back.',
};
const SAMPLE = 'Argument: nothing, or {"by":"you","reason":"why","expiresAt":"2030-01-31T12:00:00Z"}.';

/** An order somebody waits for. `answer` is set once the rollout has dealt with it. */
export interface Ticket {
  readonly order: Omit<Order, 'nowMs'>;
  readonly expiresAtMs: number | null;
  answer: { readonly refused: string } | { readonly status: RolloutSnapshot } | null;
}

export interface Inbox {
  /** The oldest order not dealt with. */
  readonly take: () => Ticket | undefined;
  readonly isEmpty: () => boolean;
}

/**
 * Takes orders as updates and queues them for the rollout's one loop, so that no two ever act at the same time.
 * `refuse` answers why an order does not apply now, `null` when it does.
 */
export function receiveOrders(refuse: (order: RolloutCommandName) => string | null): Inbox {
  const queue: Ticket[] = [];
  for (const name of ROLLOUT_COMMANDS) {
    const update = defineUpdate<RolloutCommandResult, [RolloutCommandInput?]>(name);
    const handle = async (raw?: RolloutCommandInput): Promise<RolloutCommandResult> => {
      const { by, reason, expiresAtMs } = requireInput(parseCommandInput(raw));
      const ticket: Ticket = { order: { kind: name, by, reason }, expiresAtMs, answer: null };
      queue.push(ticket);
      await condition(() => ticket.answer !== null);
      const answer = ticket.answer as Exclude<Ticket['answer'], null>;
      if ('refused' in answer) throw failure('refused', answer.refused);
      return { applied: name, status: answer.status };
    };
    const validator = (raw?: RolloutCommandInput): void => {
      const { expiresAtMs } = requireInput(parseCommandInput(raw));
      const reason = expired(expiresAtMs, Date.now()) ?? refuse(name);
      if (reason !== null) throw failure('refused', reason);
    };
    setHandler(update, handle, { validator, description: `${DESCRIPTIONS[name]} ${SAMPLE}` });
  }
  return { take: () => queue.shift(), isEmpty: () => queue.length === 0 };
}

/** An order delivered late, because no worker ran, is refused: its sender has given up and may have done otherwise. */
export function expired(expiresAtMs: number | null, nowMs: number): string | null {
  if (expiresAtMs === null || nowMs <= expiresAtMs) return null;
  return `the command expired at ${new Date(expiresAtMs).toISOString()}, before it could be handled`;
}
