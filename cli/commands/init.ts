import { access, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import type { ModelDefinition } from '../../domain/definition.ts';
import { CliError, EXIT } from '../errors.ts';
import { packageRoot } from '../package-root.ts';
import type { Runner, Session } from '../session.ts';
import { renderPairs } from '../terminal/table.ts';
import type { Style } from '../terminal/style.ts';

interface InitOptions {
  readonly target: string;
  readonly positive?: string;
  readonly entity?: string;
  readonly name?: string;
  readonly out: string;
  readonly force?: true;
}

const AFTER_HELP = `
Reads the data, decides what can be decided, and writes a definition with comments that say why. Nothing is sent to
the platform, and an existing file is left alone without --force.

Examples:
  sluice init customers.csv --target churned
  sluice init loans.parquet --target status --positive defaulted --entity loan_id --name loans --out loans.yaml`;

export function registerInit(program: Command, runner: Runner): void {
  program
    .command('init')
    .description('write a first model definition for a data file')
    .argument('<data>', 'CSV or Parquet file')
    .requiredOption('--target <column>', 'the column to predict; it has two values')
    .option('--positive <value>', 'the value whose probability is predicted; by default guessed from the data')
    .option('--entity <column>', 'the column that identifies a customer, device and so on; by default guessed')
    .option('--name <name>', "name of the model; by default the file's name")
    .option('--out <file>', 'where to write the definition', 'model.yaml')
    .option('--force', 'overwrite an existing file')
    .addHelpText('after', AFTER_HELP)
    .action((data: string, options: InitOptions, command: Command) =>
      runner.run(command, (session) => init(session, data, options)),
    );
}

async function init(session: Session, data: string, options: InitOptions): Promise<undefined> {
  const path = resolve(options.out);
  if (options.force !== true && (await exists(path))) throw alreadyThere(options.out);
  const schemaPath = join(packageRoot(), 'docs', 'schema', 'model.schema.json');
  // Readers of CSV and Parquet: no other command should wait for them to load.
  const { draftDefinition } = await import('../../models/definition/init.ts');
  const { parseDefinitionText } = await import('../../models/definition/load.ts');
  const text = await draftDefinition(resolve(data), {
    target: options.target,
    ...(options.positive === undefined ? {} : { positive: options.positive }),
    ...(options.entity === undefined ? {} : { entity: options.entity }),
    ...(options.name === undefined ? {} : { name: options.name }),
    outputPath: path,
    ...(existsSync(schemaPath) ? { schemaPath } : {}),
  });
  await write(path, text, options);
  const definition = parseDefinitionText(text, path);
  session.answer({ path, definition }, renderDecisions(path, definition, session.terminal.style));
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Without --force the system itself refuses, so that a file that appears meanwhile is safe too. */
async function write(path: string, text: string, options: InitOptions): Promise<void> {
  try {
    await writeFile(path, text, { flag: options.force === true ? 'w' : 'wx' });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    if (code === 'EEXIST') throw alreadyThere(options.out);
    throw new CliError(EXIT.failed, 'notWritten', `${options.out} cannot be written (${code})`);
  }
}

function alreadyThere(path: string): CliError {
  return new CliError(EXIT.refused, 'conflict', `${path} exists already and was left alone`, {
    hint: 'Overwrite it with --force, or write to another file with --out',
  });
}

function renderDecisions(path: string, definition: ModelDefinition, style: Style): readonly string[] {
  const file = relative(process.cwd(), path) || path;
  const overrides = Object.entries(definition.features).map(([name, o]) => `${name} (${o.type ?? 'policy'})`);
  const list = (names: readonly string[]): string => (names.length === 0 ? 'none' : names.join(', '));
  return [
    `${style.green(style.signs.yes)} Wrote ${style.bold(file)}`,
    '',
    ...renderPairs(
      [
        ['model', definition.name],
        ['predicts', `${definition.target.column} = ${definition.target.positive}`],
        ['entity', definition.entity ?? 'none; every row stands for itself'],
        ['left out', list(definition.exclude)],
        ['protected', list(definition.protected)],
        ['features said', list(overrides)],
      ],
      style,
    ),
    '',
    'The comments in the file say why; change what is wrong.',
    `Next: sluice train ${file} --rollout`,
  ];
}
