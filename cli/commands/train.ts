import { type Command, Option } from 'commander';
import { ALGORITHMS, type Algorithm } from '../../domain/definition.ts';
import { STRATEGIES, type Strategy } from '../../domain/rollout/plan.ts';
import type { TrainModelResult } from '../../workflows/messages.ts';
import type { SluiceApi } from '../api/sluice-api.ts';
import type { TrainAnswer } from '../api/answers.ts';
import { wholeNumber } from '../arguments.ts';
import { CliError, EXIT, type ExitCode } from '../errors.ts';
import { loadDefinitionFile } from '../definition-file.ts';
import type { Runner, Session } from '../session.ts';
import { createTrainingView, renderTrainResult } from '../views/training.ts';
import { watch } from '../wait.ts';

interface TrainOptions {
  readonly seed?: number;
  readonly algorithm?: readonly Algorithm[];
  readonly rollout?: true | Strategy;
  readonly wait: boolean;
}

const POLL_EVERY_MS = 500;

const AFTER_HELP = `
A file is checked and applied first, then its model is trained. Data is checked, the algorithms are tried, the better
one is written as ONNX, evaluated on rows no step has seen, registered, and held against the gates of its definition.

Exit code 0: accepted. 4: its data or a gate refused it. 1: the training broke.

Examples:
  sluice train churn
  sluice train examples/churn/model.yaml --rollout
  sluice train churn --seed 7 --algorithm gradient-boosting
  sluice train churn --rollout blue-green --no-wait`;

export function registerTrain(program: Command, runner: Runner): void {
  program
    .command('train')
    .description('train a model, hold it against its gates, and optionally roll it out')
    .argument('<model>', 'name of a model, or the path of its definition (model.yaml)')
    .addOption(new Option('--seed <number>', 'seed of everything random').argParser(wholeNumber(0, 2_147_483_647)))
    .addOption(new Option('--algorithm <name...>', 'try these alone').choices(ALGORITHMS))
    .addOption(
      new Option('--rollout [strategy]', "start a rollout when the gates pass; by default the definition's").choices(
        STRATEGIES,
      ),
    )
    .option('--no-wait', 'start it and return; look again with `sluice models show`')
    .addHelpText('after', AFTER_HELP)
    .action((model: string, options: TrainOptions, command: Command) =>
      runner.run(command, (session) => train(session, model, options)),
    );
}

async function train(session: Session, modelOrPath: string, options: TrainOptions): Promise<ExitCode> {
  const api = await session.api();
  const model = await applyFirst(session, api, modelOrPath);
  const started = await api.startTraining(model, {
    ...(options.seed === undefined ? {} : { seed: options.seed }),
    ...(options.algorithm === undefined ? {} : { algorithms: options.algorithm }),
    ...(options.rollout === undefined
      ? {}
      : { rollout: options.rollout === true ? true : { strategy: options.rollout } }),
  });
  if (!options.wait) {
    session.answer(started, [`Training ${model} in workflow ${started.workflow_id} (run ${started.run_id})`]);
    return EXIT.ok;
  }
  const result = resultOf(model, await follow(session, api, model));
  session.answer(result, renderTrainResult(result, session.terminal));
  return result.kind === 'accepted' ? EXIT.ok : EXIT.refused;
}

/** No model's name holds a dot or a slash; every path of a definition does. */
async function applyFirst(session: Session, api: SluiceApi, modelOrPath: string): Promise<string> {
  if (!/[./\\]/.test(modelOrPath)) return modelOrPath;
  const definition = await loadDefinitionFile(modelOrPath);
  await api.applyModel(definition);
  if (!session.json) session.terminal.note(`Applied ${modelOrPath} as model ${definition.name}`);
  return definition.name;
}

function follow(session: Session, api: SluiceApi, model: string): Promise<TrainAnswer> {
  const view = createTrainingView(session, model);
  return watch({
    read: () => api.training(model),
    show: (answer) => {
      view(answer);
      return answer.status !== 'running';
    },
    intervalMs: POLL_EVERY_MS,
    terminal: session.terminal,
    onInterrupt: `The training goes on. Its versions: sluice models show ${model}`,
  });
}

function resultOf(model: string, answer: TrainAnswer): TrainModelResult {
  if (answer.result !== null) return answer.result;
  const why = answer.failure ?? `it ended as ${answer.status}`;
  throw new CliError(EXIT.failed, 'trainingFailed', `The training of ${model} failed: ${why}`, {
    hint: `Workflow ${answer.workflow_id} in the Temporal UI shows every step`,
  });
}
