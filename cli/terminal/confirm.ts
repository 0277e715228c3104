import { CliError, EXIT } from '../errors.ts';
import type { Session } from '../session.ts';

/**
 * Asks before something that cannot be taken back. Where nobody can be asked (a script, a pipe) it goes on: a script
 * says what it means.
 * @throws CliError `refused` when the person says no
 */
export async function confirm(session: Session, question: string, yes: boolean): Promise<void> {
  if (yes || session.json || !session.terminal.canAsk) return;
  const answer = await session.terminal.ask(`${question} [y/N] `);
  if (/^y(es)?$/i.test(answer.trim())) return;
  throw new CliError(EXIT.refused, 'notConfirmed', 'Nothing was changed');
}
