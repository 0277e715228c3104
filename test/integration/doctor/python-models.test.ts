import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { INSTALL_LIMIT_MS, pythonModels, pythonModelsMissing } from '../../setup/python-models.ts';
import type { ForeignModel, ForeignModels } from '../../setup/python-models.ts';
import { openImportWorld } from './import-world.ts';
import type { ImportWorld } from './import-world.ts';

/** Between 32-bit graphs and the libraries' own sums, mostly in 64 bits. */
const DIGITS = 5;

const missing = await pythonModelsMissing();
if (missing !== null) console.warn(`Skipped: ${missing}`);

let world: ImportWorld;
beforeAll(async () => {
  world = await openImportWorld();
});
afterAll(() => world.close());

/** Imports a file, routes all traffic to it and compares its answers with those of the library that made it. */
async function expectSameAnswers(name: string, model: ForeignModel, signature?: string) {
  const imported = await world.importModel(name, {
    model: await readFile(model.onnxPath),
    ...(signature === undefined ? {} : { signature }),
  });
  expect(imported.json).toMatchObject({ status: 'accepted', created: true });
  await world.route(name, imported.json.version);
  const instances = model.rows.map((features) => ({ features }));
  const answered = await world.post('/predict/batch', { model: name, instances });
  const predictions = answered.json.predictions;
  expect(predictions.map((p) => p.probability)).toEqual(
    model.probabilities.map((p): unknown => expect.closeTo(p, DIGITS)),
  );
  return imported.json;
}

const ONE_HOT = `
features:
  - name: age
  - { name: plan, type: category, encoding: oneHot, categories: [basic, pro, team] }
  - name: income
  - { name: city, type: category, encoding: oneHot, categories: [Basel, Köln, Łódź, Zürich] }
target: { column: left, positive: 'yes', negative: 'no' }
threshold: 0.4
`;

describe.skipIf(missing !== null)('a model file of a Python library', () => {
  let models: ForeignModels;
  const get = (name: string): ForeignModel => models[name]!;
  beforeAll(async () => {
    models = await pythonModels();
  }, INSTALL_LIMIT_MS);

  it.each(['sklearn-logistic', 'sklearn-forest', 'sklearn-doubles', 'lightgbm', 'xgboost'])(
    '%s: one matrix, answered as the library does',
    async (name) => {
      const imported = await expectSameAnswers(name, get(name));
      expect(imported.signature.features.map((f) => f.name)).toEqual(['f0', 'f1', 'f2', 'f3', 'f4']);
      expect(imported.findings.map((f) => f.message)).toContainEqual(
        expect.stringContaining('probabilities[:, 1]; not read: label'),
      );
    },
  );

  it('a pipeline of texts and numbers is fed by its named inputs; categories come from its encoder', async () => {
    const { signature } = await expectSameAnswers('pipeline', get('sklearn-pipeline-ignore'));
    expect(signature.features).toMatchObject([
      { name: 'age', type: 'number', missing: 'reject' },
      { name: 'income', type: 'number', missing: 'reject' },
      { name: 'plan', type: 'category', categories: ['basic', 'pro', 'team'], unknown: 'flag', missing: 'flag' },
      { name: 'city', categories: ['Basel', 'Köln', 'Zürich', 'Łódź'], unknown: 'flag' },
    ]);
    const features = { age: 0, income: 0, plan: 'gold', city: 'Bern' };
    const { json } = await world.post('/models/pipeline/predict', { features });
    expect(json.warnings.map((w) => w.field)).toEqual(['features.plan', 'features.city']);
  });

  it('a pipeline whose encoder refuses unknown texts refuses them here with what is allowed', async () => {
    await expectSameAnswers('strict', get('sklearn-pipeline-error'));
    const features = { age: 0, income: 0, plan: 'gold', city: 'Basel' };
    const { status, json } = await world.post('/models/strict/predict', { features });
    expect(status).toBe(422);
    expect(json.problems).toMatchObject([{ field: 'features.plan', allowed: ['basic', 'pro', 'team'] }]);
  });

  it('whole numbers go into whole-number inputs, and cannot be missing', async () => {
    const { signature } = await expectSameAnswers('counts', get('sklearn-whole-numbers'));
    expect(signature.features).toMatchObject([
      { name: 'calls', type: 'integer', missing: 'reject' },
      { name: 'visits', type: 'integer', missing: 'reject' },
    ]);
  });

  it('a hand-encoded matrix is served with raw named features by its signature', async () => {
    const { signature } = await expectSameAnswers('one-hot', get('lightgbm-one-hot'), ONE_HOT);
    expect(signature).toMatchObject({ threshold: 0.4, target: { column: 'left', positive: 'yes', negative: 'no' } });
    const features = { age: 0, plan: 'gold', income: 0, city: 'Basel' };
    const { status, json } = await world.post('/models/one-hot/predict', { features });
    expect([status, json.problems[0]!.field]).toEqual([422, 'features.plan']);
  });

  it('says the same for a row alone, among others, and beside another model', async () => {
    const { rows, probabilities } = get('lightgbm-one-hot');
    const answers = await Promise.all(
      rows.slice(0, 32).map((features) => world.post('/models/one-hot/predict', { features })),
    );
    expect(answers.map((a) => a.json.probability)).toEqual(
      probabilities.slice(0, 32).map((p): unknown => expect.closeTo(p, DIGITS)),
    );
  });

  it.each([
    ['sklearn-zipmap', 'zipMap', /ZipMap.*'zipmap': False/],
    ['sklearn-pipeline-zipmap', 'zipMap', /ZipMap.*'zipmap': False/],
    ['lightgbm-zipmap', 'zipMap', /ZipMap.*zipmap=False/],
    ['sklearn-fixed-batch', 'batch', /fixed shape \[1, 5\].*\[None, F\]/],
    ['sklearn-columns', 'output', /i0, i1.*output: \{ name: i1 \}/],
    ['sklearn-three-classes', 'output', /3 columns.*column/],
    ['sklearn-regressor', 'output', /no probabilities.*convert the classifier/],
  ])('%s is refused with how to mend it (%s)', async (name, check, message) => {
    const { status, json } = await world.importModel('broken', await readFile(get(name).onnxPath));
    expect(status).toBe(422);
    expect(json.problems).toMatchObject([{ field: check, message: expect.stringMatching(message) }]);
    expect(await world.registry.models.find('broken')).toBeNull();
  });

  it.each([
    ['sklearn-columns', 'output: { name: i1 }'],
    ['sklearn-three-classes', 'output: { column: 1 }'],
  ])('%s is taken once the signature says where the probability is', async (name, signature) => {
    const imported = await world.importModel(name, { model: await readFile(get(name).onnxPath), signature });
    expect(imported.json).toMatchObject({ status: 'accepted' });
  });
});

describe('a PyTorch network', () => {
  const path = (name: string) => fileURLToPath(new URL(`../../fixtures/foreign/${name}`, import.meta.url));

  it('is answered as PyTorch does', async () => {
    const said = JSON.parse(await readFile(path('torch-mlp.json'), 'utf8')) as Omit<ForeignModel, 'onnxPath'>;
    await expectSameAnswers('torch', { ...said, onnxPath: path('torch-mlp.onnx') });
  });

  it('exported without dynamic axes is refused, and told of them', async () => {
    const { status, json } = await world.importModel('torch-fixed', await readFile(path('torch-mlp-fixed.onnx')));
    expect([status, json.problems[0]!.field]).toEqual([422, 'batch']);
    expect(json.problems[0]!.message).toContain("dynamic_axes={'input': {0: 'n'}, 'probability': {0: 'n'}}");
  });
});
