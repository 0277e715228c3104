import { describe, expect, it } from 'vitest';
import { createTestApp } from './support/test-app.ts';

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly tags: string[];
  readonly security: object[];
  readonly responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>;
  readonly requestBody?: {
    content: Record<string, { example?: object; examples?: Record<string, { value: object }> }>;
  };
  readonly parameters?: { name: string; schema: object; example?: unknown }[];
}

const PROTOCOLS = ['Open Inference Protocol', 'KServe v1', 'MLflow and SageMaker'];

async function readDocument(change: (app: Awaited<ReturnType<typeof createTestApp>>) => void = () => undefined) {
  const test = await createTestApp();
  change(test);
  const { json } = await test.call('GET', '/openapi.json', { key: null });
  return { ...test, document: json };
}

interface Document {
  readonly paths: Record<string, Record<string, Operation>>;
}

function operations(document: Document): Operation[] {
  return Object.values(document.paths).flatMap((path) => Object.values(path));
}

describe('the OpenAPI document', () => {
  it('is 3.1 and describes every operation in full', async () => {
    const { document } = await readDocument();
    expect(document.openapi).toBe('3.1.0');
    expect(document.info.version).toBe('1.2.3');
    const all = operations(document as Document);
    expect(all).toHaveLength(63);
    expect(new Set(all.map((o) => o.operationId)).size).toBe(all.length);
    for (const operation of all) {
      const { operationId: id, responses, security } = operation;
      expect(operation.summary.length, id).toBeGreaterThan(5);
      expect(operation.description.length, id).toBeGreaterThan(20);
      expect(operation.tags, id).toHaveLength(1);
      const statuses = Object.keys(responses);
      expect(statuses, id).toContain('500');
      if (security.length === 1) expect(statuses, id).toEqual(expect.arrayContaining(['401', '403']));
      if (operation.requestBody !== undefined) {
        // The compatibility protocols know 400 alone for input that cannot be used.
        const unusable = PROTOCOLS.includes(operation.tags[0]!) ? '400' : '422';
        expect(statuses, id).toEqual(expect.arrayContaining(['400', '413', '415', unusable]));
        const [media] = Object.values(operation.requestBody.content);
        expect(media!.example ?? media!.examples, id).toBeDefined();
      }
    }
  });

  it('refers to nothing that is not in it', async () => {
    const { document } = await readDocument();
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)];
    expect(references.length).toBeGreaterThan(20);
    for (const [, name] of references) expect(document.components.schemas).toHaveProperty([name!]);
    expect(document.components.securitySchemes.apiKey).toMatchObject({ in: 'header', name: 'X-API-Key' });
  });

  it('lists only what must be there as required', async () => {
    const { document } = await readDocument();
    expect(document.components.schemas.StartRollout.required).toEqual(['model', 'version']);
    expect(document.components.schemas.PredictRequest.required).toEqual(['features']);
  });

  it('has the features of the served models, with a row that the route takes', async () => {
    const { document, call } = await readDocument();
    const { schemas } = document.components;
    expect(schemas.Features.anyOf).toEqual([{ $ref: '#/components/schemas/Features_leavers' }]);
    expect(schemas.Features_leavers.properties.contract.enum).toEqual(['monthly', 'yearly']);
    for (const path of ['/predict', '/predict/batch', '/models/{model}/predict']) {
      const { examples } = document.paths[path].post.requestBody.content['application/json'];
      const answer = await call('POST', path.replace('{model}', 'leavers'), { body: examples.leavers.value });
      expect(answer.status, path).toBe(200);
    }
  });

  it('follows a change of the routing', async () => {
    const { call, serving } = await readDocument();
    serving.served.mockReturnValue([]);
    const { json } = await call('GET', '/openapi.json');
    expect(json.components.schemas.Features_leavers).toBeUndefined();
    expect(json.components.schemas.Features.type).toBe('object');
  });
});

describe('/docs', () => {
  it('is a page whose every part comes from this server', async () => {
    const { call } = await createTestApp();
    const page = await call('GET', '/docs', { key: null });
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const policy = page.headers.get('content-security-policy')!;
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toMatch(/https?:|unsafe-eval/);
    expect(page.text).not.toMatch(/https?:\/\//);
    const parts = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map((m) => m[1]!);
    expect(parts.length).toBe(4);
    for (const part of parts) {
      const asset = await call('GET', part, { key: null });
      expect(asset.status, part).toBe(200);
      expect(asset.text.length, part).toBeGreaterThan(100);
    }
    expect((await call('GET', '/docs/start.js')).text).toContain('validatorUrl: null');
  });

  it.each(['package.json', '..%2Fpackage.json', '__proto__', 'swagger-ui.js'])(
    'gives out no other file (%s)',
    async (name) => {
      const { call } = await createTestApp();
      expect((await call('GET', `/docs/${name}`)).status).toBe(404);
    },
  );
});
