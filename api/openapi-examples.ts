/** Examples that can be sent as they are: of the models served now, in place of those of a model that nobody has. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Signature } from '../domain/signature.ts';
import type { AppEnv } from './app-env.ts';
import { DATATYPE_OF } from './protocols/open-inference/infer-rows.ts';
import { exampleFeatures } from './signature-schema.ts';

type Document = ReturnType<OpenAPIHono<AppEnv>['getOpenAPI31Document']>;

/** What a document knows of a served model. */
export interface KnownModel {
  readonly model: string;
  readonly version: number;
  readonly signature: Signature;
}

type ExampleOf = (known: KnownModel) => object;

function rowOf({ signature }: KnownModel) {
  const entity = signature.entity === null ? {} : { entity_id: 'example-1' };
  return { ...entity, features: exampleFeatures(signature) };
}

function tensorsOf({ signature }: KnownModel) {
  const values = exampleFeatures(signature);
  return signature.features.map(({ name, type }) => ({
    name,
    shape: [1, 1],
    datatype: DATATYPE_OF[type],
    data: [values[name]],
  }));
}

const tableOf = (known: KnownModel) => {
  const values = exampleFeatures(known.signature);
  return { columns: Object.keys(values), data: [Object.values(values)] };
};

const inferExample: ExampleOf = (known) => ({ id: 'call-1', inputs: tensorsOf(known) });

function feedbackExample({ model, signature }: KnownModel): object {
  return { model, entity_id: 'example-1', label: signature.target.positive };
}

/** By path of a POST operation. */
const BODY_EXAMPLES: Readonly<Record<string, ExampleOf>> = {
  '/predict': (known) => ({ model: known.model, ...rowOf(known) }),
  '/models/{model}/predict': rowOf,
  '/predict/batch': (known) => ({ model: known.model, instances: [rowOf(known)] }),
  '/feedback': feedbackExample,
  '/v1/models/{model}:{verb}': ({ signature }) => ({ instances: [exampleFeatures(signature)] }),
  '/v2/models/{model}/infer': inferExample,
  '/v2/models/{model}/versions/{version}/infer': inferExample,
  '/invocations': (known) => ({ dataframe_split: tableOf(known) }),
};

export function setBodyExamples(document: Document, models: readonly KnownModel[]): void {
  const [first] = models;
  const feedback = document.components?.schemas?.['Feedback'];
  if (first !== undefined && feedback !== undefined && !('$ref' in feedback)) feedback.example = feedbackExample(first);
  for (const [path, exampleOf] of Object.entries(BODY_EXAMPLES)) {
    const body = document.paths?.[path]?.post?.requestBody;
    if (body === undefined || '$ref' in body) continue;
    const media = body.content['application/json'];
    if (media !== undefined) {
      delete media.example;
      const named = models.map((m) => [m.model, { summary: `A row for ${m.model}`, value: exampleOf(m) }] as const);
      media.examples = Object.fromEntries(named);
    }
    const csv = body.content['text/csv'];
    if (csv !== undefined && first !== undefined) csv.example = csvOf(first);
  }
}

function csvOf(known: KnownModel): string {
  const { columns, data } = tableOf(known);
  const line = (cells: readonly unknown[]) => cells.map((cell) => quoted(String(cell))).join(',');
  return `${[columns, ...data].map(line).join('\n')}\n`;
}

const quoted = (cell: string): string => (/[",\n\r]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

/** The parameters that name a model or one of its versions. */
export function setParameterExamples(document: Document, known: KnownModel | undefined): void {
  if (known === undefined) return;
  const valueOf: Readonly<Record<string, string | number>> = { model: known.model, version: known.version };
  for (const item of Object.values(document.paths ?? {})) {
    for (const operation of [item.get, item.post, item.delete]) {
      for (const parameter of operation?.parameters ?? []) {
        if ('$ref' in parameter || parameter.in !== 'path') continue;
        const { name, schema } = parameter;
        const value = valueOf[name];
        if (value === undefined || schema === undefined || '$ref' in schema) continue;
        schema.example = schema.type === 'string' ? String(value) : value;
      }
    }
  }
}
