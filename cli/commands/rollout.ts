import { type Command, Option } from 'commander';
import { STRATEGIES } from '../../domain/rollout/plan.ts';
import { duration, wholeNumber } from '../arguments.ts';
import type { Runner } from '../session.ts';
import { registerApprove } from './rollout/approve.ts';
import { registerForesight } from './rollout/foresight.ts';
import { registerReport } from './rollout/report.ts';
import { listRollouts, showRollout } from './rollout/read.ts';
import { type StartOptions, startRollout } from './rollout/start.ts';
import { commandName, STEERING, steer, type SteerOptions } from './rollout/steer.ts';
import { watchRollout } from './rollout/watch.ts';

const EXAMPLES = `
A rollout is named by its model (the open one, else the last) or by its id.

Examples:
  sluice rollout start churn --watch
  sluice rollout start churn --version 2 --strategy blue-green --bake 30s --reason "new prices"
  sluice rollout watch churn
  sluice rollout plan churn --strategy canary
  sluice rollout approve churn --role techLead
  sluice rollout pause churn --reason "call centre is down"
  sluice rollout rollback churn --yes`;

export function registerRollout(program: Command, runner: Runner): void {
  const rollout = program
    .command('rollout')
    .helpCommand(false)
    .description('put a version into production step by step, watch it, steer it')
    .addHelpText('after', EXAMPLES);
  registerStart(rollout, runner);
  registerReading(rollout, runner);
  registerForesight(rollout, runner);
  registerApprove(rollout, runner);
  registerReport(rollout, runner);
  for (const [name, { description }] of Object.entries(STEERING)) {
    const typed = commandName(name as keyof typeof STEERING);
    const command = rollout
      .command(typed)
      .description(description)
      .argument('<rollout>', 'name of the model, or id of the rollout')
      .option('--reason <text>', 'why; kept in the audit log and shown in the rollout')
      .option('--yes', 'do not ask')
      .addHelpText('after', `\nExample:\n  sluice rollout ${typed} churn --reason "as agreed in the release meeting"`);
    command.action((reference: string, options: SteerOptions) =>
      runner.run(command, (session) => steer(session, name as keyof typeof STEERING, reference, options)),
    );
  }
}

function registerStart(rollout: Command, runner: Runner): void {
  rollout
    .command('start')
    .description('start the rollout of a version')
    .argument('<model>', 'name of the model')
    .addOption(
      new Option(
        '--version <number>',
        'version; by default the newest accepted one that is not the champion',
      ).argParser(wholeNumber(1)),
    )
    .addOption(new Option('--strategy <name>', "by default the definition's").choices(STRATEGIES))
    .addOption(
      new Option('--bake <duration>', 'watch every step before 100 % this long, for example 30s').argParser(duration),
    )
    .addOption(
      new Option('--min-requests <number>', 'requests to the candidate before a step may end').argParser(
        wholeNumber(0),
      ),
    )
    .addOption(
      new Option('--keep-warm <duration>', 'keep the old version warm this long after 100 %').argParser(duration),
    )
    .addOption(
      new Option('--plan <file>', "parts of the plan, YAML or JSON, instead of the definition's").conflicts([
        'bake',
        'minRequests',
        'keepWarm',
      ]),
    )
    .option('--reason <text>', 'why; kept in the audit log and shown in the rollout')
    .option('--watch', 'stay and watch it')
    .addHelpText(
      'after',
      '\nExamples:\n  sluice rollout start churn --watch\n' +
        '  sluice rollout start churn --version 2 --strategy canary --bake 30s --min-requests 50\n' +
        '  sluice rollout start churn --plan careful.yaml\n\n' +
        'A plan file has the fields of `plan` in POST /rollouts (durations in ms), and is checked as a whole first.',
    )
    .action((model: string, options: StartOptions, command: Command) =>
      runner.run(command, (session) => startRollout(session, model, options)),
    );
}

function registerReading(rollout: Command, runner: Runner): void {
  rollout
    .command('status')
    .description('where a rollout stands, what it waits for, what comes next')
    .argument('<rollout>', 'name of the model, or id of the rollout')
    .addHelpText('after', '\nExample:\n  sluice rollout status churn')
    .action((reference: string, _options: unknown, command: Command) =>
      runner.run(command, (session) => showRollout(session, reference)),
    );
  rollout
    .command('watch')
    .description('watch a rollout until its end')
    .argument('<rollout>', 'name of the model, or id of the rollout')
    .option('--until-full', 'stop as soon as the candidate answers all requests')
    .addHelpText(
      'after',
      '\nDrawn in place on a terminal, a line per change elsewhere; with --json one JSON object per change and line.\n' +
        'Exit code 0: promoted (or at 100 % with --until-full). 1: rolled back or aborted.\n\n' +
        'Examples:\n  sluice rollout watch churn\n  sluice rollout watch churn --json --until-full',
    )
    .action((reference: string, options: { untilFull?: true }, command: Command) =>
      runner.run(command, (session) => watchRollout(session, reference, { untilFull: options.untilFull === true })),
    );
  rollout
    .command('list')
    .description('rollouts, newest first')
    .option('--model <name>', 'of this model alone')
    .addOption(new Option('--limit <number>', 'at most this many').argParser(wholeNumber(1, 500)).default(20))
    .addHelpText('after', '\nExample:\n  sluice rollout list --model churn --limit 5')
    .action((options: { model?: string; limit: number }, command: Command) =>
      runner.run(command, (session) => listRollouts(session, options)),
    );
}
