import { readdir } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFolderArtefactStore } from '../../../adapters/folder-artefact-store.ts';
import { createImporter } from '../../../api/imports/create-importer.ts';
import { importedDefinition } from '../../../models/definition/imported.ts';
import { definitionDigest } from '../../../models/definition/load.ts';
import { examine } from '../../../models/doctor/examine.ts';
import { createJobs } from '../../../models/training/create-jobs.ts';
import type { ModelDefinition } from '../../../domain/definition.ts';
import { withModelFile } from '../../support/examine-bytes.ts';
import { floats, node, onnxFile, tensor } from '../../support/onnx-file.ts';
import { openImportWorld } from './import-world.ts';
import type { ApiAnswer, ImportWorld } from './import-world.ts';

/** `probability = sigmoid(bias + sum of two columns)`. */
const model = (bias = 0) =>
  onnxFile({
    nodes: [
      node('MatMul', ['input', 'weights'], ['sum']),
      node('Add', ['sum', 'bias'], ['logit']),
      node('Sigmoid', ['logit'], ['probability']),
    ],
    inputs: [tensor('input', ['n', 2])],
    constants: [floats('weights', [2, 1], [1, 1]), floats('bias', [1], [bias])],
  });
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const NAMES =
  "features: [{ name: age, min: 0, max: 9 }, { name: debt }]\ntarget: { column: paid, positive: 'no', negative: 'yes' }";
const rowsOf = (count: number) => Array.from({ length: count }, (_, i) => ({ age: i % 10, debt: (i % 7) - 6 }));
const samplesOf = (rows: readonly { age: number; debt: number }[]) =>
  rows.map((features) => {
    const probability = sigmoid(features.age + features.debt);
    return JSON.stringify({ features, probability, label: probability > 0.5 ? 1 : 0 });
  });

let world: ImportWorld;
beforeAll(async () => {
  world = await openImportWorld();
});
afterAll(() => world.close());

/** A model whose definition is strict before anything is imported. */
async function define(name: string, change: (d: ModelDefinition) => Partial<ModelDefinition>): Promise<void> {
  const target = { column: 'paid', positive: 'no', negative: 'yes' };
  const plain = importedDefinition(name, { entity: null, target, risk: { medium: 0.2, high: 0.8 } });
  const definition = { ...plain, ...change(plain) };
  await world.registry.models.apply(definition, definitionDigest(definition), 'test');
}

describe('an import', () => {
  it('makes the model, and a version that predicts and can be rolled out', async () => {
    const { status, json } = await world.importModel('credit', { model: model(), signature: NAMES });
    expect(status).toBe(201);
    expect(json).toMatchObject({ model: 'credit', version: 1, status: 'accepted', created: true });
    expect(json.latency.map((l) => l.rows)).toEqual([1, 8, 64, 256, 1000]);
    expect(json.threads.intraOp).toBe(1);
    expect(json.gates.map((g) => g.gate)).toEqual(['doctor', 'champion', 'latency', 'throughput']);
    expect(json.gates[0]!.evidence).toMatchObject({
      rows1P50Ms: expect.any(Number),
      rows1000P95Ms: expect.any(Number),
    });
    const row = await world.registry.versions.find('credit', 1);
    expect(row).toMatchObject({ status: 'accepted', algorithm: 'imported', evaluation: { rows: 0 } });
    expect(await world.registry.models.find('credit')).toMatchObject({
      definition: { data: null, target: { column: 'paid', positive: 'no' }, rollout: { strategy: 'canary' } },
    });
    const rollout = await world.post('/rollouts', { model: 'credit', version: 1 });
    expect(rollout.status).toBe(202);
    await world.route('credit', 1);
    const answer = await world.post('/predict', { model: 'credit', features: { age: 2, debt: -1 } });
    expect(answer.json).toMatchObject({ probability: expect.closeTo(sigmoid(1), 6), label: 'no', risk: 'high' });
    const outside = await world.post('/predict', { model: 'credit', features: { age: 20, debt: -1 } });
    expect(outside).toMatchObject({ status: 422, json: { problems: [{ field: 'features.age' }] } });
    expect((await world.post('/models/credit/train', {})).json.detail).toMatch(/no training data/);
  });

  it('of the same content is the same version, of another a new one', async () => {
    const first = await world.importModel('again', model());
    const second = await world.importModel('again', { model: model() });
    const named = await world.importModel('again', { model: model(), signature: NAMES.replace(/target.*/, '') });
    const other = await world.importModel('again', model(1));
    expect([first.status, second.status, named.status, other.status]).toEqual([201, 200, 201, 201]);
    expect([first, second, named, other].map((a) => a.json.version)).toEqual([1, 1, 2, 3]);
    expect(second.json).toMatchObject({ created: false, status: 'accepted', gates: first.json.gates });
  });

  it('with a key is the version of that key, and the key takes no other content', async () => {
    const key = { 'idempotency-key': 'release-7' };
    const first = await world.importModel('keyed', model(), key);
    const retried = await world.importModel('keyed', model(), key);
    const next = await world.importModel('keyed', model(), { 'idempotency-key': 'release-8' });
    expect([first, retried, next].map((a) => a.json.version)).toEqual([1, 1, 2]);
    const reused = await world.importModel('keyed', model(5), key);
    expect(reused).toMatchObject({ status: 409, json: { problems: [{ field: 'Idempotency-Key' }] } });
    expect(await world.registry.versions.list('keyed', 10)).toHaveLength(2);
  });

  it('that was cut off before its verdict is finished by the next try', async () => {
    const { registry } = world;
    const artefacts = createFolderArtefactStore(join(world.home, 'artefacts'));
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
    const cut = {
      ...registry,
      versions: { ...registry.versions, recordGates: () => Promise.reject(new Error('cut')) },
    };
    const rest = { artefacts, examine, jobs: createJobs(), codeCommit: () => 'test', log };
    await withModelFile(model(), {}, async ({ onnxPath }) => {
      const { digest, bytes } = await artefacts.putFile(onnxPath);
      const upload = { onnxPath, digest, bytes, signature: null, samples: null };
      const request = {
        model: 'cut',
        upload,
        actor: 'test',
        idempotencyKey: null,
        signal: new AbortController().signal,
      };
      await expect(createImporter({ registry: cut, ...rest })(request)).rejects.toThrow('cut');
      expect((await registry.versions.find('cut', 1))?.status).toBe('validating');
      const { row } = await createImporter({ registry, ...rest })(request);
      expect([row.version, row.status]).toEqual([1, 'accepted']);
    });
  });

  it('with labelled rows is evaluated on them, and compared with the champion', async () => {
    const quality = { auc: { min: 0.9 } };
    await define('labelled', (d) => ({ gates: { ...d.gates, quality } }));
    const without = await world.importModel('labelled', { model: model(), signature: NAMES });
    expect(without.json).toMatchObject({ status: 'rejected' });
    expect(without.json.gates[1]).toMatchObject({ passed: false, message: expect.stringMatching(/without labelled/) });
    const refused = await world.post('/rollouts', { model: 'labelled', version: 1 });
    expect(refused.status).toBe(409);

    const samples = samplesOf(rowsOf(60)).join('\n');
    const good = await world.importModel('labelled', { model: model(), signature: NAMES, samples });
    expect(good.json).toMatchObject({ status: 'accepted', version: 2 });
    const row = await world.registry.versions.find('labelled', 2);
    expect(row).toMatchObject({ evaluation: { rows: 60, auc: 1 }, lineage: { dataRows: 60 } });

    await world.registry.versions.setAliases('labelled', { champion: 2 }, 'test', 'c');
    const noise = onnxFile({
      nodes: [node('Gemm', ['input', 'weights'], ['logit']), node('Sigmoid', ['logit'], ['probability'])],
      inputs: [tensor('input', ['n', 2])],
      constants: [floats('weights', [2, 1], [0.2, 1])],
    });
    const unknown = rowsOf(60).map((features, i) =>
      JSON.stringify({ features, label: features.age + features.debt > 0 ? 1 : 0, i }).replace(/,"i":\d+/, ''),
    );
    const worse = await world.importModel('labelled', { model: noise, signature: NAMES, samples: unknown.join('\n') });
    const champion = worse.json.gates.find((g) => g.gate === 'champion');
    expect(champion).toMatchObject({ passed: false, evidence: { champion: 1 } });
  });

  it('whose samples say other probabilities is refused with the first row that differs', async () => {
    const [first, ...others] = samplesOf(rowsOf(20));
    const wrong = JSON.stringify({ ...(JSON.parse(first!) as object), probability: 0.123 });
    const samples = [...others, wrong].join('\n');
    const { status, json } = await world.importModel('differs', { model: model(), signature: NAMES, samples });
    expect(status).toBe(422);
    expect(json.problems[0]).toMatchObject({
      field: 'samples',
      message: expect.stringMatching(/^1 of 20.*row 20 says 0.123/),
    });
  });

  it('that is too slow for its gates is rejected', async () => {
    await define('slow', (d) => ({ gates: { ...d.gates, latencyP95MsMax: 1e-6 } }));
    const { status, json } = await world.importModel('slow', { model: model(), signature: NAMES });
    expect([status, json.status]).toEqual([201, 'rejected']);
    expect(json.gates.find((g) => g.gate === 'latency')?.passed).toBe(false);
  });

  it('takes what the definition says, and no file that answers another question', async () => {
    await define('asked', () => ({}));
    const { json } = await world.importModel('asked', { model: model(), signature: 'threshold: 0.25' });
    expect(json.signature).toMatchObject({
      target: { column: 'paid', positive: 'no' },
      risk: { medium: 0.2, high: 0.8 },
      threshold: 0.25,
    });
    const signature = 'target: { column: left, positive: 1 }';
    const other = await world.importModel('asked', { model: model(), signature });
    expect(other).toMatchObject({ status: 422, json: { problems: [{ field: 'target', allowed: ['paid = no'] }] } });
  });

  it('warns when the clients of the champion would be refused', async () => {
    await world.importModel('renamed', { model: model(), signature: NAMES });
    await world.registry.versions.setAliases('renamed', { champion: 1 }, 'test', 'c');
    const { json } = await world.importModel('renamed', { model: model(), signature: NAMES.replace('debt', 'loan') });
    const warnings = json.findings.filter((f) => f.severity === 'warning');
    expect(warnings.map((w) => w.message)).toEqual([
      'Features of the champion that this version refuses: debt',
      "Features that today's clients do not send: loan",
    ]);
  });
});

describe('what is no import', () => {
  const type = (value: string) => ({ 'content-type': value });
  const problems = (answer: ApiAnswer) => answer.json.problems.map((p) => p.field);

  it('is refused before anything is examined', async () => {
    const bytes = model();
    expect((await world.importModel('x', bytes, type('application/json'))).status).toBe(415);
    expect((await world.importModel('x', bytes, type('multipart/form-data'))).status).toBe(400);
    expect((await world.importModel('x', Buffer.alloc(0))).status).toBe(400);
    expect((await world.importModel('Not A Name', bytes)).status).toBe(422);
    expect((await world.importModel('x', bytes, { 'idempotency-key': 'k'.repeat(300) })).status).toBe(400);
    const none = await world.importModel('x', { signature: 'threshold: 0.5' });
    expect([none.status, problems(none)]).toEqual([400, ['model']]);
    const unknown = await world.importModel('x', { model: bytes, labels: '1' } as never);
    expect([unknown.status, problems(unknown)]).toEqual([400, ['labels']]);
    const signature = await world.importModel('x', { model: bytes, signature: 'features: [{ nam: a }]\nthreshold: 2' });
    expect([signature.status, problems(signature)]).toEqual([
      422,
      ['features[0].name', 'features[0].nam', 'threshold'],
    ]);
    const samples = await world.importModel('x', { model: bytes, samples: '{"input": 1}\nno row' });
    expect([samples.status, problems(samples)]).toEqual([422, ['samples, line 2']]);
    expect(await world.registry.models.find('x')).toBeNull();
  });

  it('is refused for its size before it is read', async () => {
    const status = await new Promise((resolve, reject) => {
      const headers = { 'x-api-key': world.key, ...type('application/octet-stream'), 'content-length': 1e12 };
      const sent = request(`${world.url}/models/x/versions`, { method: 'POST', headers }, (answer) => {
        resolve(answer.statusCode);
        sent.destroy();
      });
      sent.on('error', reject);
      sent.write('x');
    });
    expect(status).toBe(413);
  });

  it('needs an admin', async () => {
    const { status } = await world.importModel('x', model(), { 'x-api-key': 'sk_live_nobody' });
    expect(status).toBe(401);
  });

  it('leaves nothing on the disk', async () => {
    expect(await readdir(join(world.home, 'uploads'))).toEqual([]);
  });
});
