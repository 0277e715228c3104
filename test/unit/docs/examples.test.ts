import { describe, expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';
import {
  feedbackSchema,
  predictBatchSchema,
  predictionSchema,
  predictSchema,
} from '../../../api/schemas/predictions.ts';
import { problemSchema } from '../../../api/schemas/problem.ts';
import { startRolloutSchema } from '../../../api/schemas/rollouts.ts';
import { trainBodySchema } from '../../../api/schemas/training.ts';
import { readConfig } from '../../../adapters/config.ts';
import { ERROR_CODES } from '../../../domain/errors.ts';
import { parseCommandInput, parseRolloutInput, parseTrainInput } from '../../../domain/workflow-input.ts';
import { parseDefinitionText } from '../../../models/definition/load.ts';
import { type Block, page, pages, source } from './support/pages.ts';

const blocksIn = (...languages: string[]): readonly Block[] =>
  pages.flatMap((p) => p.blocks.filter((b) => languages.includes(b.language)));
const named = (blocks: readonly Block[]) => blocks.map((block) => [block.where, block] as const);
const isDefinition = (value: unknown): boolean => typeof value === 'object' && value !== null && 'target' in value;

describe('the examples in the docs', () => {
  it.each(named(blocksIn('json')))('%s is JSON', (_where, block) => {
    expect(() => JSON.parse(block.text) as unknown).not.toThrow();
  });

  it.each(named(blocksIn('yaml', 'yml')))(
    '%s is YAML, and a model definition that loads where it is one',
    (_where, block) => {
      const value = parseYaml(block.text) as unknown;
      if (isDefinition(value)) expect(parseDefinitionText(block.text, '/models/model.yaml').name).not.toBe('');
    },
  );

  it('hold at least the smallest and the fullest definition', () => {
    const definitions = blocksIn('yaml').filter((b) => isDefinition(parseYaml(b.text)));
    expect(definitions.length).toBeGreaterThanOrEqual(3);
  });

  const BODIES = [
    predictSchema,
    predictBatchSchema,
    predictionSchema,
    feedbackSchema,
    trainBodySchema,
    startRolloutSchema,
    problemSchema,
  ];

  it.each(
    named(
      ['docs/http-api.md', 'docs/guide/predict.md'].flatMap((path) =>
        page(path).blocks.filter((b) => b.language === 'json'),
      ),
    ),
  )('%s is a body or an answer of the API', (_where, block) => {
    const value = JSON.parse(block.text) as unknown;
    expect(BODIES.some((schema) => schema.safeParse(value).success)).toBe(true);
  });

  it.each(named(page('docs/guide/operate-from-temporal-ui.md').blocks.filter((b) => b.language === 'json')))(
    '%s is what a workflow takes',
    (_where, block) => {
      const value = JSON.parse(block.text) as unknown;
      const parsers = [parseTrainInput, parseRolloutInput, parseCommandInput];
      expect(parsers.some((parser) => parser(value).ok)).toBe(true);
    },
  );
});

describe('the reference pages', () => {
  const variables = (path: string): string[] =>
    [...source(path).matchAll(/^ {2}([A-Z][A-Z_]+): optional\(/gm)].map(([, name = '']) => name);

  it('configuration.md documents every variable, and none that does not exist', () => {
    const backups = [...source('adapters/backup-config.ts').matchAll(/^ {2}(SLUICE_[A-Z_]+): /gm)].map(
      ([, name = '']) => name,
    );
    const platform = [...variables('adapters/config.ts'), ...backups];
    expect(platform.length).toBeGreaterThan(10);
    const { text } = page('docs/guide/configuration.md');
    const [first = '', commandLine = ''] = text.split('## Command line');
    const documented = (part: string): string[] =>
      [...part.matchAll(/^\| `([A-Z][A-Z_]+)`/gm)].map(([, name = '']) => name);
    expect(documented(first).sort()).toEqual(platform.sort());
    const own = variables('cli/settings.ts').filter((name) => name.startsWith('SLUICE_'));
    for (const name of own) expect(commandLine).toContain(`\`${name}\``);
  });

  it('configuration.md names the defaults that hold', () => {
    const row = (name: string): string =>
      new RegExp(`^\\| \`${name}\` +\\| ([^|]+?) +\\|`, 'm').exec(page('docs/guide/configuration.md').text)?.[1] ?? '';
    const config = readConfig({});
    expect(row('SLUICE_PORT')).toBe(`\`${config.port}\``);
    expect(row('SLUICE_HOST')).toBe(`\`${config.host}\``);
    expect(row('SLUICE_LOG_LEVEL')).toBe(`\`${config.logLevel}\``);
    expect(row('SLUICE_TASK_QUEUE')).toBe(`\`${config.taskQueue}\``);
    expect(row('SLUICE_TRAINING_MEMORY_MB')).toBe(`\`${config.trainingMemoryMb}\``);
    expect(row('TEMPORAL_NAMESPACE')).toBe(`\`${config.temporalNamespace}\``);
  });

  it('model-definition.md documents every field of the schema', () => {
    const schema = JSON.parse(source('docs/schema/model.schema.json')) as Schema;
    const { text } = page('docs/model-definition.md');
    const fields = fieldsOf(schema);
    expect(fields.size).toBeGreaterThan(40);
    expect([...fields].filter((field) => !new RegExp(`\\b${field}\\b`).test(text))).toEqual([]);
  });

  it('http-api.md lists every route and every error with its status', () => {
    const { text } = page('docs/http-api.md');
    const routes = ['audit', 'docs', 'feedback', 'health', 'keys', 'metrics', 'models', 'predictions'].concat(
      'rollout-commands',
      'rollouts',
      'training',
      'versions',
    );
    const paths = routes.flatMap((name) =>
      [...source(`api/routes/${name}.ts`).matchAll(/path: '(\/[^']+)'/g)].map((m) => m[1] ?? ''),
    );
    expect(paths.length).toBeGreaterThan(12);
    // The files of the documentation page are no routes to call.
    const unlisted = paths.filter((path) => !path.startsWith('/docs/') && !text.includes(`${path}\``));
    expect(unlisted).toEqual([]);
    for (const [code, { status }] of Object.entries(ERROR_CODES)) {
      const row = new RegExp(`^\\|[^|]*\`${code}\`[^|]*\\| ${status} +\\|`, 'm');
      expect(row.test(text), code).toBe(true);
    }
  });
});

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
}

function fieldsOf(schema: Schema, found = new Set<string>()): Set<string> {
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    found.add(name);
    fieldsOf(property, found);
  }
  const inner = typeof schema.additionalProperties === 'object' ? [schema.additionalProperties] : [];
  for (const part of [...inner, ...(schema.items === undefined ? [] : [schema.items]), ...(schema.anyOf ?? [])]) {
    fieldsOf(part, found);
  }
  return found;
}
