import type { Command } from 'commander';
import type { StopTheLineAnswer } from '../api/answers.ts';
import type { Runner, Session } from '../session.ts';
import { formatTime } from '../terminal/format.ts';

export function registerStopTheLine(program: Command, runner: Runner): void {
  const line = program
    .command('stop-the-line')
    .helpCommand(false)
    .description('hold every rollout of every model where it is; watching goes on, and so do rollbacks')
    .addHelpText(
      'after',
      '\nExamples:\n  sluice stop-the-line on --reason "incident 4711"\n  sluice stop-the-line status',
    );
  for (const name of ['on', 'off'] as const) {
    line
      .command(name)
      .description(name === 'on' ? 'no rollout takes a step from now on' : 'rollouts go on')
      .requiredOption('--reason <text>', 'why; kept in the audit log and shown in every rollout')
      .addHelpText('after', `\nExample:\n  sluice stop-the-line ${name} --reason "incident 4711"`)
      .action(({ reason }: { reason: string }, command: Command) =>
        runner.run(command, async (session) => {
          const api = await session.api();
          show(session, await api.setStopTheLine(name === 'on', reason));
          return undefined;
        }),
      );
  }
  line
    .command('status')
    .description('whether the line is stopped, by whom and why')
    .addHelpText('after', '\nExample:\n  sluice stop-the-line status')
    .action((_options: unknown, command: Command) =>
      runner.run(command, async (session) => {
        const api = await session.api();
        show(session, await api.stopTheLine());
        return undefined;
      }),
    );
}

function show(session: Session, state: StopTheLineAnswer): void {
  const { style } = session.terminal;
  const what = state.active ? style.red('The line is stopped') : style.green('The line runs');
  const since = state.at === null ? '' : ` since ${formatTime(state.at)}, by ${state.by}: ${state.reason}`;
  session.answer(state, [`${what}${since}`]);
}
