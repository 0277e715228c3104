import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer } from '../../../api/server.ts';
import type { RunningServer } from '../../../api/server.ts';
import { INSTALL_LIMIT_MS, pythonClients, pythonClientsMissing, runPython } from '../../setup/python-clients.ts';
import { ServingWorld } from '../../support/serving-world.ts';
import { booleanFeature, categoryFeature, numberFeature, tinyModel } from '../../support/tiny-model.ts';
import { createTestApp } from '../../unit/api/support/test-app.ts';

const features = [
  categoryFeature('contract', ['monthly', 'yearly', 'größer']),
  numberFeature('months', { type: 'integer', min: 0, max: 72 }),
  numberFeature('charge', { missing: 'flag' }),
  booleanFeature('paperless'),
];
const rows = [
  { contract: 'monthly', months: 3, charge: 0.5, paperless: true },
  { contract: 'yearly', months: 40, charge: 7.25, paperless: false },
  { contract: 'größer', months: 0, charge: null, paperless: true },
];
const model = tinyModel({ features, weights: [0.5, -0.05, 0.125, 0.25], golden: [rows[0]!] });
const expected = rows.map((row) => model.expected(row));
const labels = expected.map((p) => (p >= 0.5 ? 'yes' : 'no'));

const missing = await pythonClientsMissing();
if (missing !== null) console.warn(`Skipped: ${missing}`);

/** As the model computes, in 32-bit floats. */
function expectProbabilities(found: unknown, what: string): void {
  expect(found, what).toEqual(expected.map((p): unknown => expect.closeTo(p, 6)));
}

type Probabilities = Readonly<Record<string, readonly number[]>>;
type TritonError = { readonly status: string; readonly message: string } | null;

interface TritonFound {
  readonly server: object;
  readonly metadata: { readonly inputs: readonly object[] };
  readonly index: readonly object[];
  readonly response: { readonly parameters: { readonly warnings: string }; readonly outputs: readonly object[] };
  readonly labels: readonly string[];
  readonly versions: readonly number[];
  readonly requestIds: readonly string[];
  readonly probabilities: Probabilities;
  readonly errors: Readonly<Record<'shape' | 'row' | 'noKey' | 'model' | 'load' | 'adminLoad' | 'unload', TritonError>>;
}

interface KserveFound {
  readonly probabilities: Probabilities;
  readonly errors: Readonly<Record<'row' | 'v1Row' | 'v1Model' | 'explain' | 'noKey', string | null>>;
}

type Table = Readonly<Record<'probability' | 'label', readonly unknown[]>>;

interface MlflowFound extends Readonly<Record<'frame' | 'list' | 'params', Table>> {
  readonly version: string;
  readonly csv: readonly number[];
  readonly errors: Readonly<Record<'row' | 'column' | 'noKey', string | null>>;
}

describe.skipIf(missing !== null)('the real Python clients', () => {
  let python: string;
  let world: ServingWorld;
  let server: RunningServer;
  let run: <T>(script: string) => Promise<T>;

  beforeAll(async () => {
    python = await pythonClients();
    world = await ServingWorld.create();
    world.addVersion('leavers', 1, model);
    world.route('leavers', [{ variant: 'champion', version: 1, weightPercent: 100 }]);
    const test = await createTestApp({ serving: await world.started() });
    server = await startServer(test.app.fetch, { host: '127.0.0.1', port: 0 });
    const { predict: key, admin: adminKey } = test.keyOf;
    const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
    run = (script) => runPython(python, path(script), { port: server.port, key, adminKey, rows });
  }, INSTALL_LIMIT_MS);
  afterAll(async () => {
    await server.drain();
    await world.destroy();
  });

  it('tritonclient is answered in every form it sends', { timeout: 120_000 }, async () => {
    const found = await run<TritonFound>('triton_client.py');
    expect(found).toMatchObject({ live: true, ready: true, modelReady: true, versionReady: true, otherReady: false });
    expect(found.server).toMatchObject({ name: 'sluice', extensions: ['binary_tensor_data', 'model_repository'] });
    expect(found.metadata).toMatchObject({ name: 'leavers', versions: ['1'] });
    expect(found.metadata.inputs[0]).toEqual({ name: 'contract', datatype: 'BYTES', shape: [-1, 1] });
    expect(found.index).toEqual([{ name: 'leavers', version: '1', state: 'READY', reason: '' }]);
    for (const [form, values] of Object.entries(found.probabilities)) expectProbabilities(values, form);
    expect(Object.keys(found.probabilities)).toHaveLength(9);
    expect(found.response).toMatchObject({ model_name: 'leavers', model_version: '1', id: 'call-7' });
    expect(found.response.parameters.warnings).toMatch(/^row 2: features.charge: is missing/);
    expect(found.response.outputs[0]).toMatchObject({ datatype: 'FP64', parameters: { binary_data_size: 24 } });
    expect(found.labels).toEqual(labels);
    expect(found.versions).toEqual([1, 1, 1]);
    expect(new Set(found.requestIds).size).toBe(3);
  });

  it('tritonclient reads the errors', { timeout: 120_000 }, async () => {
    const { errors } = await run<TritonFound>('triton_client.py');
    expect(errors.shape).toMatchObject({ status: '400', message: expect.stringContaining('inputs.months.shape') });
    expect(errors.row!.message).toContain('inputs.contract.data[0]: the string "weekly" is not a value');
    expect(errors.row!.message).toContain('inputs.contract.data[2]');
    expect(errors.noKey).toMatchObject({ status: '401', message: expect.stringContaining('X-API-Key') });
    expect(errors.model).toMatchObject({ status: '404', message: expect.stringContaining('leavers') });
    expect(errors.load).toMatchObject({ status: '403', message: expect.stringContaining('admin') });
    expect(errors.adminLoad).toBeNull();
    expect(errors.unload).toMatchObject({ status: '409', message: expect.stringContaining('in service') });
  });

  it('the kserve client is answered in both of its protocols', { timeout: 120_000 }, async () => {
    const found = await run<KserveFound>('kserve_client.py');
    expect(found).toMatchObject({ live: true, ready: true, modelReady: true, v1ModelReady: true, otherReady: false });
    expect(found).toMatchObject({ id: 'call-8', labels, warnings: expect.stringMatching(/^row 2: features.charge/) });
    for (const [form, values] of Object.entries(found.probabilities)) expectProbabilities(values, form);
    const { row, v1Row, v1Model, explain, noKey } = found.errors;
    expect(row).toMatch(/inputs\.contract\.data\[0\].*400 Bad Request/);
    expect(v1Row).toMatch(/instances\[0\]\.contract.*instances\[0\]\.months: is missing.*400 Bad Request/);
    expect(v1Model).toMatch(/another.*404 Not Found/);
    expect(explain).toMatch(/cannot explain its answers.*501/);
    expect(noKey).toMatch(/401 Unauthorized/);
  });

  it("MLflow's client is answered, and its CSV says the same", { timeout: 120_000 }, async () => {
    const found = await run<MlflowFound>('mlflow_client.py');
    expect(found.version).toBe('1.2.3');
    for (const form of ['frame', 'list', 'params'] as const) {
      expectProbabilities(found[form].probability, form);
      expect(found[form].label, form).toEqual(labels);
    }
    expect(found.csv).toEqual(found.frame.probability);
    const { row, column, noKey } = found.errors;
    expect(row).toMatch(/error code 400.*BAD_REQUEST.*row 0, contract.*weekly/);
    expect(column).toMatch(/column \\"charges\\": is no feature of this model/);
    expect(noKey).toMatch(/error code 401.*UNAUTHENTICATED/);
  });
});
