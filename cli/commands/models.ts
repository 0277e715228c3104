import { type Command, Option } from 'commander';
import type { ModelSummary, VersionAnswer, VersionSummary } from '../api/answers.ts';
import { wholeNumber } from '../arguments.ts';
import { loadDefinitionFile } from '../definition-file.ts';
import type { Runner, Session } from '../session.ts';
import { formatMetric, formatNumber, formatPercent, formatTime } from '../terminal/format.ts';
import { renderPairs, renderTable } from '../terminal/table.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { renderEvaluation, renderGates } from '../views/evaluation.ts';
import { renderVersionStatus } from '../views/version-status.ts';
import { registerModelsImport } from './models-import.ts';

const EXAMPLES = `
Examples:
  sluice models list
  sluice models show churn
  sluice models show churn --version 2
  sluice models apply model.yaml
  sluice models import model.onnx --model churn`;

export function registerModels(program: Command, runner: Runner): void {
  const models = program
    .command('models')
    .helpCommand(false)
    .description('models, their versions, and their definitions')
    .addHelpText('after', EXAMPLES);
  models
    .command('list')
    .description('every model: its aliases and what it serves')
    .addHelpText('after', '\nExample:\n  sluice models list --json')
    .action((_options: unknown, command: Command) => runner.run(command, list));
  models
    .command('show')
    .description('the versions of a model, or one version with its metrics, gates, lineage and signature')
    .argument('<model>', 'name of the model')
    .addOption(new Option('--version <number>', 'one version').argParser(wholeNumber(1)))
    .addHelpText('after', '\nExamples:\n  sluice models show churn\n  sluice models show churn --version 2')
    .action((model: string, options: { version?: number }, command: Command) =>
      runner.run(command, (session) =>
        options.version === undefined ? showModel(session, model) : showVersion(session, model, options.version),
      ),
    );
  models
    .command('apply')
    .description('check a model definition and hand it to the platform; the next training uses it')
    .argument('<file>', 'the model definition, YAML')
    .addHelpText('after', '\nExample:\n  sluice models apply examples/churn/model.yaml')
    .action((file: string, _options: unknown, command: Command) =>
      runner.run(command, (session) => apply(session, file)),
    );
  models
    .command('release')
    .description('lift the quarantine of a version that was rolled back or called off')
    .argument('<model>', 'name of the model')
    .addOption(new Option('--version <number>', 'the version').argParser(wholeNumber(1)).makeOptionMandatory())
    .requiredOption('--reason <text>', 'why it may be trusted again; kept in the audit log')
    .addHelpText('after', '\nExample:\n  sluice models release churn --version 2 --reason "the data were wrong"')
    .action((model: string, options: { version: number; reason: string }, command: Command) =>
      runner.run(command, (session) => release(session, model, options)),
    );
  registerModelsImport(models, runner);
}

async function release(
  session: Session,
  model: string,
  { version, reason }: { version: number; reason: string },
): Promise<undefined> {
  const api = await session.api();
  const answer = await api.release(model, version, reason);
  const { style } = session.terminal;
  session.answer(answer, [`${style.green(style.signs.yes)} ${model} version ${version} may be rolled out again`]);
}

async function list(session: Session): Promise<undefined> {
  const api = await session.api();
  const models = await api.models();
  const { style, width } = session.terminal;
  const table = renderTable(
    [
      { title: 'model' },
      { title: 'versions', align: 'right' },
      { title: 'aliases', shrink: true },
      { title: 'serving', shrink: true },
      { title: 'description', shrink: true },
    ],
    models.map((m) => [style.bold(m.name), String(m.versions), aliasesInWords(m), servingInWords(m), m.description]),
    style,
    width,
  );
  const empty = ['No models yet. Make one from a CSV: sluice init data.csv --target COLUMN'];
  session.answer({ models }, models.length === 0 ? empty : table);
}

function aliasesInWords(model: Pick<ModelSummary, 'aliases'>): string {
  return Object.entries(model.aliases)
    .map(([alias, version]) => `${alias} v${version}`)
    .join(', ');
}

function servingInWords(model: Pick<ModelSummary, 'routing'>): string {
  const routes = model.routing?.routes.filter((r) => r.weightPercent > 0) ?? [];
  if (routes.length === 0) return 'nothing';
  return routes.map((r) => `v${r.version} ${formatPercent(r.weightPercent)}`).join(', ');
}

async function showModel(session: Session, name: string): Promise<undefined> {
  const api = await session.api();
  const [model, versions] = await Promise.all([api.model(name), api.versions(name)]);
  const { style } = session.terminal;
  const { definition } = model;
  session.answer({ model, versions }, [
    style.bold(name),
    ...(definition.description === '' ? [] : [definition.description]),
    '',
    ...renderPairs(
      [
        ['data', definition.data?.source ?? 'none: its versions are imported'],
        ['target', `${definition.target.column} = ${definition.target.positive}`],
        ['entity', definition.entity ?? 'none'],
        ['aliases', aliasesInWords(model)],
        ['serving', servingInWords(model)],
      ],
      style,
    ),
    '',
    ...(versions.length === 0
      ? [`No versions yet. Train one: sluice train ${name}`]
      : versionTable(versions, session.terminal)),
  ]);
}

function versionTable(versions: readonly VersionSummary[], terminal: Terminal): readonly string[] {
  return renderTable(
    [
      { title: 'version', align: 'right' },
      { title: 'status' },
      { title: 'algorithm', shrink: true },
      { title: 'AUC', align: 'right' },
      { title: 'log loss', align: 'right' },
      { title: 'accuracy', align: 'right' },
      { title: 'aliases' },
      { title: 'made' },
    ],
    versions.map((v) => [
      String(v.version),
      renderVersionStatus(v.status, terminal.style),
      v.algorithm,
      metric(v, 'auc'),
      metric(v, 'logLoss'),
      metric(v, 'accuracy'),
      v.aliases.join(', '),
      formatTime(v.created_at),
    ]),
    terminal.style,
    terminal.width,
  );
}

/** An imported model without labelled rows has no figures. */
const metric = ({ evaluation }: VersionSummary, name: 'auc' | 'logLoss' | 'accuracy'): string =>
  evaluation.rows === 0 ? '' : formatMetric(evaluation[name]);

async function showVersion(session: Session, model: string, number: number): Promise<undefined> {
  const api = await session.api();
  const version = await api.version(model, number);
  const { terminal } = session;
  const { style } = terminal;
  const gates = version.gates?.results ?? [];
  session.answer(version, [
    `${style.bold(model)} version ${style.bold(String(number))}  ${renderVersionStatus(version.status, style)}`,
    '',
    ...renderEvaluation(version.evaluation, terminal),
    '',
    ...(gates.length === 0 ? ['No gate has spoken yet.'] : renderGates(gates, terminal)),
    '',
    ...renderLineage(version, terminal),
    '',
    ...renderSignature(version, terminal),
  ]);
}

function renderLineage(version: VersionAnswer, terminal: Terminal): readonly string[] {
  const { lineage } = version;
  const tried = Object.entries(lineage.crossValidation).map(([name, loss]) => `${name} ${formatMetric(loss)}`);
  return renderPairs(
    [
      ['algorithm', version.algorithm],
      ['cross-validated log loss', tried.join(', ')],
      ['made', formatTime(version.created_at)],
      ['artefact', version.artefact_digest],
      ['data', `${lineage.dataSource} (${formatNumber(lineage.dataRows)} rows)`],
      ['data digest', lineage.dataDigest],
      ['definition digest', lineage.definitionDigest],
      ['code', lineage.codeCommit],
      ['seed', String(lineage.seed)],
      ['workflow', `${lineage.workflowId} (run ${lineage.runId})`],
    ],
    terminal.style,
  );
}

function renderSignature(version: VersionAnswer, terminal: Terminal): readonly string[] {
  return renderTable(
    [
      { title: 'feature' },
      { title: 'type' },
      { title: 'allowed', shrink: true },
      { title: 'missing' },
      { title: 'otherwise' },
    ],
    version.signature.features.map((f) => {
      const range =
        f.type === 'number' || f.type === 'integer' ? `${f.min ?? '-inf'} .. ${f.max ?? 'inf'}` : 'true, false';
      const otherwise = f.type === 'category' ? f.unknown : f.outOfRange;
      return [f.name, f.type, f.categories?.join(', ') ?? range, f.missing, f.type === 'boolean' ? '' : otherwise];
    }),
    terminal.style,
    terminal.width,
  );
}

async function apply(session: Session, file: string): Promise<undefined> {
  const definition = await loadDefinitionFile(file);
  const api = await session.api();
  const applied = await api.applyModel(definition);
  const { style } = session.terminal;
  session.answer(applied, [
    `${style.green(style.signs.yes)} ${style.bold(definition.name)} is defined by ${file}`,
    `Next: sluice train ${definition.name}`,
  ]);
}
