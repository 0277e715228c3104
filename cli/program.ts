import { Command } from 'commander';
import { registerBackup } from './commands/backup.ts';
import { registerFeedback } from './commands/feedback.ts';
import { registerInit } from './commands/init.ts';
import { registerKeys } from './commands/keys.ts';
import { registerLedger } from './commands/ledger.ts';
import { registerModels } from './commands/models.ts';
import { registerOutcomes } from './commands/outcomes.ts';
import { registerPredict } from './commands/predict.ts';
import { registerRegion } from './commands/region.ts';
import { registerRestore } from './commands/restore.ts';
import { registerRollout } from './commands/rollout.ts';
import { registerStatus } from './commands/status.ts';
import { registerStopTheLine } from './commands/stop-the-line.ts';
import { registerTrain } from './commands/train.ts';
import { registerTrigger } from './commands/trigger.ts';
import { registerUp } from './commands/up.ts';
import { registerWebhooks } from './commands/webhooks.ts';
import { packageVersion } from './package-root.ts';
import type { Runner } from './session.ts';
import type { Streams } from './terminal/terminal.ts';

const AFTER_HELP = `
Examples:
  sluice up                                     start the platform on this machine
  sluice init customers.csv --target churned    write a first model definition
  sluice train model.yaml --rollout             train, gate and roll out what it defines
  sluice status                                 what is serving now

Where the platform is: --url, else SLUICE_API_URL, else what \`sluice up\` left in .sluice (SLUICE_HOME).
The API key: --key, else SLUICE_API_KEY, else .sluice/first-key when the platform is on this machine.

With --json standard output holds one JSON document (rollout watch: one per line), and an error is a JSON document
on standard error.

Exit codes: 0 done, 1 failed, 2 wrong usage or input, 3 platform not reachable, 4 refused or in conflict,
130 interrupted while waiting (what was waited for goes on).`;

/** The whole command line. Parsing throws instead of ending the process. */
export function createProgram(runner: Runner, output: { json: boolean; streams: Streams }): Command {
  const { streams, json } = output;
  const program = new Command('sluice');
  program
    .description('Train, gate, roll out and serve tabular models.')
    // `--version` alone is read in `run`: here it would take the option of the same name from the commands.
    .version(packageVersion(), '-V', 'print the version (also --version)')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .option('--json', 'answer with JSON')
    .option('--url <address>', 'address of the platform, for example http://127.0.0.1:8080')
    .option('--key <key>', 'API key; better kept in SLUICE_API_KEY, where no process list shows it')
    .addHelpText('after', AFTER_HELP);
  // Inherited by every command that is added after it.
  program
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => {
        streams.stdout.write(text);
      },
      writeErr: (text) => {
        if (!json) streams.stderr.write(text);
      },
      // Errors are reported once, at the end of `run`.
      outputError: () => undefined,
    })
    .showSuggestionAfterError(true);
  registerUp(program);
  registerStatus(program, runner);
  registerInit(program, runner);
  registerTrain(program, runner);
  registerModels(program, runner);
  registerRollout(program, runner);
  registerLedger(program, runner);
  registerStopTheLine(program, runner);
  registerTrigger(program, runner);
  registerPredict(program, runner);
  registerFeedback(program, runner);
  registerOutcomes(program, runner);
  registerKeys(program, runner);
  registerWebhooks(program, runner);
  registerBackup(program, runner);
  registerRegion(program, runner);
  registerRestore(program, runner);
  return program;
}
