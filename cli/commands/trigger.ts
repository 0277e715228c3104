import { type Command, Option } from 'commander';
import { CliError, EXIT, type ExitCode } from '../errors.ts';
import type { Runner, Session } from '../session.ts';

/** As `POST /triggers` takes them. */
const KINDS = ['security', 'webhook', 'alert'] as const;

interface TriggerOptions {
  readonly all?: true;
  readonly kind: (typeof KINDS)[number];
  readonly reason: string;
}

export function registerTrigger(program: Command, runner: Runner): void {
  program
    .command('trigger')
    .description('send the open rollout of a model back at once, whatever its evidence says')
    .argument('[model]', 'name of the model')
    .option('--all', 'the open rollouts of all models')
    .addOption(new Option('--kind <kind>', 'what happened').choices(KINDS).default('security'))
    .requiredOption('--reason <text>', 'why; kept in the audit log and shown in the rollout')
    .addHelpText(
      'after',
      '\nThe version is quarantined until it is released: sluice models release.\n\n' +
        'Examples:\n  sluice trigger churn --reason "the training data of version 7 were tampered with"\n' +
        '  sluice trigger --all --kind security --reason "incident 4711"',
    )
    .action((model: string | undefined, options: TriggerOptions, command: Command) =>
      runner.run(command, (session) => trigger(session, model, options)),
    );
}

async function trigger(session: Session, model: string | undefined, options: TriggerOptions): Promise<ExitCode> {
  const { all, kind, reason } = options;
  if ((model === undefined) === (all === undefined)) {
    throw new CliError(EXIT.usage, 'usage', 'Either name a model, or say --all');
  }
  const api = await session.api();
  const answer = await api.trigger({ ...(model === undefined ? {} : { model }), kind, reason });
  const { style } = session.terminal;
  const lines = answer.rollouts.map((r) => {
    const when = r.told ? 'goes back now' : 'goes back at its next look';
    return `${style.green(style.signs.yes)} ${style.bold(r.model)} ${when}  (rollout ${r.rollout_id})`;
  });
  session.answer(answer, lines.length > 0 ? lines : ['No rollout is open: nothing goes back. The trigger is kept.']);
  return EXIT.ok;
}
