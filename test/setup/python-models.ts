/** Model files of other make, written by the Python libraries that make them, with what those say of some rows. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pythonEnvironment, pythonMissing, runPython } from './python-environment.ts';
import { testCacheDir } from './temporal-binaries.ts';

export { INSTALL_LIMIT_MS } from './python-environment.ts';

/** `xgboost-cpu` is XGBoost without 200 MB of CUDA. */
const PACKAGES = [
  'numpy==2.2.6',
  'scipy==1.15.3',
  'scikit-learn==1.6.1',
  'lightgbm==4.6.0',
  'xgboost-cpu==3.0.5',
  'onnx==1.18.0',
  'skl2onnx==1.19.1',
  'onnxmltools==1.14.0',
  'protobuf==6.31.1',
  'packaging==26.3',
];
const SCRIPT = fileURLToPath(new URL('./python-models.py', import.meta.url));

export interface ForeignModel {
  readonly onnxPath: string;
  readonly rows: readonly Readonly<Record<string, string | number | null>>[];
  /** `predict_proba(rows)[:, 1]` of the library that made the model. */
  readonly probabilities: readonly number[];
  readonly labels?: readonly (0 | 1)[];
}

export type ForeignModels = Readonly<Record<string, ForeignModel>>;

/** Why the models cannot be made here, in one line; `null` when they can. */
export const pythonModelsMissing = (): Promise<string | null> => pythonMissing('the model files of Python libraries');

/** The models by name; made once for a script and its packages. */
export async function pythonModels(): Promise<ForeignModels> {
  const python = await pythonEnvironment('python-models', PACKAGES);
  const made = createHash('sha256')
    .update(await readFile(SCRIPT))
    .update(JSON.stringify(PACKAGES))
    .digest('hex')
    .slice(0, 16);
  const folder = join(testCacheDir(), 'python-models-written', made);
  const index = join(folder, 'models.json');
  const known = await readFile(index, 'utf8').catch(() => null);
  if (known === null) {
    await mkdir(join(testCacheDir(), 'python-models-written'), { recursive: true });
    const draft = await mkdtemp(join(testCacheDir(), 'python-models-written', '.draft-'));
    await runPython(python, SCRIPT, { folder: draft });
    // Another run may have been faster: then its files are as good.
    await rename(draft, folder).catch(() => rm(draft, { recursive: true, force: true }));
  }
  const models = JSON.parse(await readFile(index, 'utf8')) as Record<string, Omit<ForeignModel, 'onnxPath'>>;
  return Object.fromEntries(
    Object.entries(models).map(([name, model]) => [name, { ...model, onnxPath: join(folder, `${name}.onnx`) }]),
  );
}
