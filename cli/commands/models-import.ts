import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { type Command, Option } from 'commander';
import type { Strategy } from '../../domain/rollout/plan.ts';
import type { ImportAnswer, StartedWorkflow } from '../api/answers.ts';
import { EXIT, type ExitCode, UsageError } from '../errors.ts';
import type { Runner, Session } from '../session.ts';
import { renderImport } from '../views/import.ts';

interface ImportOptions {
  readonly model: string;
  readonly signature?: string;
  readonly samples?: string;
  readonly rollout?: true | Strategy;
}

const STRATEGIES: readonly Strategy[] = ['canary', 'blue-green', 'all-at-once'];
/** As the API takes it; said here before a long upload. */
const MODEL_BYTES_MAX = 256 * 1024 * 1024;

const EXAMPLES = `
The file is examined by the platform in a process of its own. With something wrong it is refused, with how to mend it.

Examples:
  sluice models import model.onnx --model churn
  sluice models import model.onnx --model churn --signature signature.yaml --samples rows.jsonl --rollout`;

/** `sluice models import`: a model file of any make becomes a version. */
export function registerModelsImport(models: Command, runner: Runner): void {
  models
    .command('import')
    .description('register an ONNX file of any make as a version of a model')
    .argument('<file>', 'the ONNX file')
    .requiredOption('--model <name>', 'name of the model; it is made when there is none')
    .option('--signature <file>', 'what the file does not say: names, types, categories, ranges (YAML or JSON)')
    .option('--samples <file>', 'rows as JSON lines, with label and probability where they are known')
    .addOption(
      new Option('--rollout [strategy]', "roll it out when it is accepted; default: the definition's strategy").choices(
        STRATEGIES,
      ),
    )
    .addHelpText('after', EXAMPLES)
    .action((file: string, options: ImportOptions, command: Command) =>
      runner.run(command, (session) => importModel(session, file, options)),
    );
}

async function importModel(session: Session, file: string, options: ImportOptions): Promise<ExitCode> {
  const form = new FormData();
  form.set('model', new Blob([await readBytes(file)]), basename(file));
  for (const part of ['signature', 'samples'] as const) {
    const path = options[part];
    if (path !== undefined) form.set(part, new Blob([await readBytes(path)]), basename(path));
  }
  const api = await session.api();
  if (!session.json) session.terminal.note(`Examining ${file}`);
  const imported = await api.importVersion(options.model, form);
  const accepted = imported.status === 'accepted';
  const rollout = accepted && options.rollout !== undefined ? await rollOut(session, imported, options.rollout) : null;
  session.answer({ ...imported, rollout }, renderImport(imported, rollout, session.terminal));
  return accepted ? EXIT.ok : EXIT.refused;
}

async function rollOut(
  session: Session,
  { model, version }: ImportAnswer,
  strategy: true | Strategy,
): Promise<StartedWorkflow> {
  const api = await session.api();
  return api.startRollout({ model, version, ...(strategy === true ? {} : { strategy }) });
}

async function readBytes(path: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(path);
    if (size > MODEL_BYTES_MAX) throw new UsageError(`${path} has ${size} bytes, at most ${MODEL_BYTES_MAX} are taken`);
    return await readFile(path);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`);
  }
}
