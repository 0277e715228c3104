import type { RolloutCommandName } from '../../../workflows/messages.ts';
import type { CommandAnswer } from '../../api/answers.ts';
import type { Session } from '../../session.ts';
import { confirm } from '../../terminal/confirm.ts';
import type { Terminal } from '../../terminal/terminal.ts';
import { renderRollout } from '../../views/rollout.ts';

export interface SteerOptions {
  readonly reason?: string;
  readonly yes?: true;
}

/** As it is typed. */
export const commandName = (command: RolloutCommandName): string => (command === 'skipBake' ? 'skip-bake' : command);

/** What each command does, and the question before it where it moves traffic at once. */
export const STEERING: Readonly<Record<RolloutCommandName, { description: string; question: string | null }>> = {
  promote: {
    description: 'give the candidate all traffic now; behind 100 %: end the rollout without waiting any longer',
    question: 'Give the candidate all traffic now, without waiting for evidence?',
  },
  pause: { description: 'hold the weights as they are, until resume', question: null },
  resume: { description: 'go on after a pause', question: null },
  freeze: { description: 'nothing moves by itself, not even an automatic rollback, until resume', question: null },
  skipBake: { description: 'end the bake time of this step; evidence is still waited for', question: null },
  abort: {
    description: 'call the rollout off: all traffic goes back to the champion',
    question: 'Call this rollout off and give all traffic back to the champion?',
  },
  rollback: {
    description: 'give all traffic back to the old version; with no rollout open, to the version that served before',
    question: 'Give all traffic back to the old version now?',
  },
};

export async function steer(
  session: Session,
  command: RolloutCommandName,
  reference: string,
  options: SteerOptions,
): Promise<undefined> {
  const { question } = STEERING[command];
  if (question !== null) await confirm(session, `${reference}: ${question}`, options.yes === true);
  const api = await session.api();
  const answer = await api.steer(reference, command, options.reason);
  session.answer(answer, renderSteered(reference, answer, session.terminal));
}

function renderSteered(reference: string, answer: CommandAnswer, terminal: Terminal): readonly string[] {
  const sign = terminal.style.green(terminal.style.signs.yes);
  if (answer.status === null) {
    return [
      `${sign} No rollout was open; a new one gives all traffic back to version ${answer.version}`,
      `Next: sluice rollout watch ${answer.rollout_id ?? reference}`,
    ];
  }
  return [`${sign} ${commandName(answer.applied)} applied`, '', ...renderRollout(answer.status, terminal, Date.now())];
}
