import type { OpenAPIHono } from '@hono/zod-openapi';
import type { AppEnv } from './app-env.ts';
import { SECURITY_SCHEME } from './operation.ts';
import type { ServedModel } from './serving/contract.ts';
import { setBodyExamples, setParameterExamples } from './openapi-examples.ts';
import { featuresSchema } from './signature-schema.ts';

type Document = ReturnType<OpenAPIHono<AppEnv>['getOpenAPI31Document']>;

const TAGS = [
  { name: 'Predictions', description: 'Ask for predictions, and report what really happened' },
  { name: 'Open Inference Protocol', description: 'Version 2, REST, with binary tensors: for its existing clients' },
  { name: 'KServe v1', description: 'For its existing clients' },
  { name: 'MLflow and SageMaker', description: 'The scoring server both agree on: for its existing clients' },
  { name: 'Models', description: 'Models, their definitions and versions' },
  { name: 'Training', description: 'Train new versions' },
  { name: 'Rollouts', description: 'Bring versions into production, and back' },
  { name: 'Backups', description: 'Backup sets and restore points' },
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

const schemaName = (model: string): string => `Features_${model}`;

function addSignatures(document: Document, models: readonly ServedModel[]): void {
  const schemas = (document.components ??= {}).schemas ?? {};
  document.components.schemas = schemas;
  const known = models.flatMap((served) => {
    const main = mainRoute(served);
    return main === undefined ? [] : [{ model: served.model, ...main }];
  });
  if (known.length === 0) return;
  for (const { model, signature } of known) schemas[schemaName(model)] = featuresSchema(signature) as never;
  schemas['Features'] = {
    description: 'Raw features by name, as the data has them',
    anyOf: known.map(({ model }) => ({ $ref: `#/components/schemas/${schemaName(model)}` })),
  };
  setBodyExamples(document, known);
  setParameterExamples(document, known[0]);
}

/** The version with the largest share stands for the model: most answers come from it. */
function mainRoute({ routes }: ServedModel) {
  const [main] = [...routes].sort((a, b) => b.weightPercent - a.weightPercent);
  return main;
}
