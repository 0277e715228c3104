import type { OpenAPIHono } from '@hono/zod-openapi';
import type { AppEnv } from './app-env.ts';
import { SECURITY_SCHEME } from './operation.ts';
import type { ServedModel } from './serving/contract.ts';
import { exampleFeatures, featuresSchema } from './signature-schema.ts';

type Document = ReturnType<OpenAPIHono<AppEnv>['getOpenAPI31Document']>;

const TAGS = [
  { name: 'Predictions', description: 'Ask for predictions, and report what really happened' },
  { name: 'Open Inference Protocol', description: 'Version 2, REST, with binary tensors: for its existing clients' },
  { name: 'KServe v1', description: 'For its existing clients' },
  { name: 'MLflow and SageMaker', description: 'The scoring server both agree on: for its existing clients' },
  { name: 'Models', description: 'Models, their definitions and versions' },
  { name: 'Training', description: 'Train new versions' },
  { name: 'Rollouts', description: 'Bring versions into production, and back' },
  { name: 'Keys', description: 'API keys' },
  { name: 'Operations', description: 'Health, metrics, audit' },
];

/**
 * The OpenAPI 3.1 document of the routes, with the features of the models that are served now. Made again when a
 * routing generation changes.
 */
export function createOpenApiDocument(
  app: OpenAPIHono<AppEnv>,
  version: string,
  served: () => readonly ServedModel[],
): () => Document {
  let cached: { readonly key: string; readonly document: Document } | null = null;
  let base: Document | null = null;
  return () => {
    const models = served();
    const key = models.map((m) => `${m.model}@${m.generation}`).join();
    if (cached?.key === key) return cached.document;
    base ??= createBase(app, version);
    const document = structuredClone(base);
    addSignatures(document, models);
    cached = { key, document };
    return document;
  };
}

function createBase(app: OpenAPIHono<AppEnv>, version: string): Document {
  app.openAPIRegistry.registerComponent('securitySchemes', SECURITY_SCHEME, {
    type: 'apiKey',
    in: 'header',
    name: 'X-API-Key',
    description: 'Permissions: predict, monitor, admin (which includes the others)',
  });
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Sluice',
      version,
      description:
        'Train, gate, roll out and serve tabular models. Errors are problem details (RFC 9457) with a code in `error` ' +
        'and every wrong field in `problems`. Every answer carries `X-Request-Id`.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    servers: [{ url: '/', description: 'This server' }],
    tags: TAGS,
  });
}

/** The signature of the version with the largest share stands for the model: most answers come from it. */
function signatureOf({ routes }: ServedModel) {
  const [main] = [...routes].sort((a, b) => b.weightPercent - a.weightPercent);
  return main?.signature;
}

const schemaName = (model: string): string => `Features_${model}`;

function addSignatures(document: Document, models: readonly ServedModel[]): void {
  const schemas = (document.components ??= {}).schemas ?? {};
  document.components.schemas = schemas;
  const examples: Record<string, { summary: string; value: object }> = {};
  const batchExamples: typeof examples = {};
  const pathExamples: typeof examples = {};
  for (const served of models) {
    const signature = signatureOf(served);
    if (signature === undefined) continue;
    const { model } = served;
    schemas[schemaName(model)] = featuresSchema(signature) as never;
    const row = {
      ...(signature.entity === null ? {} : { entity_id: 'example-1' }),
      features: exampleFeatures(signature),
    };
    examples[model] = { summary: `A row for ${model}`, value: { model, ...row } };
    pathExamples[model] = { summary: `A row for ${model}`, value: row };
    batchExamples[model] = { summary: `A row for ${model}`, value: { model, instances: [row] } };
  }
  if (Object.keys(examples).length === 0) return;
  schemas['Features'] = {
    description: 'Raw features by name, as the data has them',
    anyOf: Object.keys(examples).map((model) => ({ $ref: `#/components/schemas/${schemaName(model)}` })),
  };
  replaceExamples(document, '/predict', examples);
  replaceExamples(document, '/models/{model}/predict', pathExamples);
  replaceExamples(document, '/predict/batch', batchExamples);
}

function replaceExamples(document: Document, path: string, examples: object): void {
  const body = document.paths?.[path]?.post?.requestBody;
  if (body === undefined || '$ref' in body) return;
  const media = body.content['application/json'];
  if (media === undefined) return;
  delete media.example;
  media.examples = { ...examples };
}
