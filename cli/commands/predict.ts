import { type Command, Option } from 'commander';
import type { FeatureSpec } from '../../domain/signature.ts';
import type { BatchAnswer, FailedPrediction, PredictionAnswer } from '../api/answers.ts';
import type { Instance, SluiceApi } from '../api/sluice-api.ts';
import { wholeNumber } from '../arguments.ts';
import { CliError, EXIT, type ExitCode, UsageError } from '../errors.ts';
import { parseFeatures, readInstances } from '../rows.ts';
import type { Runner, Session } from '../session.ts';
import { renderPrediction, renderPredictions } from '../views/predictions.ts';

interface PredictOptions {
  readonly features?: string;
  readonly file?: string;
  readonly example?: true;
  readonly entity?: string;
  readonly explain?: true;
  readonly top: number;
}

/** The API's limit of rows in one batch. */
const BATCH_ROWS_MAX = 1000;
const TOP_DEFAULT = 5;
/** The API's limit of contributions named. */
const TOP_MAX = 1000;

const AFTER_HELP = `
A row has one member a feature; \`sluice models show MODEL --version N\` lists them. A file holds one row, a JSON array
of rows, or JSON lines; a row may also be {"entity_id": "...", "features": {...}}.

Exit code 2: a row was refused; the answer says which, and what is allowed.

Examples:
  sluice predict churn --example
  sluice predict shop --features '{"visits": 3, "country": "DE"}' --entity 4711
  sluice predict churn --file rows.jsonl --json
  sluice predict churn --example --explain --top 10
  cat row.json | sluice predict churn --file -`;

export function registerPredict(program: Command, runner: Runner): void {
  program
    .command('predict')
    .description('ask for predictions')
    .argument('[model]', 'name of the model; may be left out while exactly one is served')
    .addOption(new Option('--features <json>', 'one row').conflicts(['file', 'example']))
    .addOption(new Option('--file <path>', 'rows: JSON or JSON lines; - for standard input').conflicts('example'))
    .option('--example', "a made-up row from the champion's signature")
    .option('--entity <id>', 'id of the entity: keeps it on one version during a rollout')
    .option('--explain', 'show what speaks for and against it (one row)')
    .addOption(
      new Option('--top <number>', 'contributions an explanation names')
        .argParser(wholeNumber(0, TOP_MAX))
        .default(TOP_DEFAULT),
    )
    .addHelpText('after', AFTER_HELP)
    .action((model: string | undefined, options: PredictOptions, command: Command) =>
      runner.run(command, (session) => predict(session, model ?? null, options)),
    );
}

async function predict(session: Session, model: string | null, options: PredictOptions): Promise<ExitCode> {
  const api = await session.api();
  const instances = await instancesOf(session, api, model, options);
  const [only] = instances;
  if (only === undefined) throw new UsageError(`${options.file ?? 'The input'} holds no row`);
  if (instances.length === 1) {
    const prediction = await api.predict(model, only, options.explain === true ? options.top : null);
    session.answer(prediction, renderPrediction(prediction, session.terminal));
    return EXIT.ok;
  }
  if (options.explain === true) {
    throw new UsageError(`--explain takes one row, and there are ${instances.length}`);
  }
  const answer = await predictAll(api, model, instances);
  session.answer(answer, renderPredictions(answer.predictions, instances, session.terminal));
  return answer.predictions.some(isFailure) ? EXIT.usage : EXIT.ok;
}

async function instancesOf(
  session: Session,
  api: SluiceApi,
  model: string | null,
  options: PredictOptions,
): Promise<readonly Instance[]> {
  const { features, file, entity } = options;
  const named = (instance: Instance): Instance =>
    entity === undefined ? instance : { ...instance, entity_id: entity };
  if (features !== undefined) return [named(parseFeatures(features))];
  if (file !== undefined) {
    const instances = await readInstances(file, session.stdin);
    if (entity !== undefined && instances.length > 1) {
      throw new UsageError(
        '--entity names one entity, and the file holds several rows',
        [],
        'Put entity_id into the rows',
      );
    }
    return instances.map(named);
  }
  if (options.example !== true) {
    throw new UsageError('No row to predict for', [], 'Give --features, --file or --example');
  }
  const example = await exampleRow(api, model);
  if (!session.json) session.terminal.note(`Features: ${JSON.stringify(example)}`);
  return [named({ features: example })];
}

async function predictAll(
  api: SluiceApi,
  model: string | null,
  instances: readonly Instance[],
): Promise<Pick<BatchAnswer, 'model' | 'predictions'>> {
  const predictions: (PredictionAnswer | FailedPrediction)[] = [];
  let answered = model ?? '';
  for (let from = 0; from < instances.length; from += BATCH_ROWS_MAX) {
    const answer = await api.predictBatch(model, instances.slice(from, from + BATCH_ROWS_MAX));
    answered = answer.model;
    predictions.push(...answer.predictions);
  }
  return { model: answered, predictions };
}

function isFailure(prediction: PredictionAnswer | FailedPrediction): prediction is FailedPrediction {
  return 'error' in prediction;
}

/** A row that fits the champion's signature; its values are typical of nothing. */
async function exampleRow(api: SluiceApi, model: string | null): Promise<Record<string, unknown>> {
  const models = await api.models();
  const served = models.filter((m) => (model === null ? m.routing !== null : m.name === model));
  const [only] = served;
  const version = only?.aliases.champion;
  if (only === undefined || served.length > 1 || version === undefined) {
    const what = model === null ? 'Not exactly one model is served' : `${model} has no champion`;
    throw new CliError(EXIT.failed, 'notFound', `${what}, so there is no signature to make a row from`, {
      hint: 'See `sluice status`',
    });
  }
  const { signature } = await api.version(only.name, version);
  return Object.fromEntries(signature.features.map((f) => [f.name, exampleValue(f)]));
}

function exampleValue(feature: FeatureSpec): unknown {
  if (feature.type === 'category') return feature.categories?.[0] ?? '';
  if (feature.type === 'boolean') return false;
  const middle = ((feature.min ?? 0) + (feature.max ?? feature.min ?? 0)) / 2;
  return feature.type === 'integer' ? Math.floor(middle) : Number(middle.toPrecision(4));
}
