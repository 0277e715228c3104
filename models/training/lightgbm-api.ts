import koffi from 'koffi';
import { DomainError } from '../../domain/errors.ts';
import type { LightGbmDump } from './lightgbm-dump.ts';

/** Rows as LightGBM takes them: float32, row-major. */
export interface Block {
  readonly matrix: Float32Array;
  readonly rows: number;
  readonly columns: number;
}

export interface BoosterDataset {
  readonly handle: unknown;
  free(): void;
}

export interface Booster {
  addValidation(dataset: BoosterDataset): void;
  /** Adds one tree. @returns false when no split is left to make */
  update(): boolean;
  /** The metric on the validation data. */
  validationMetric(): number;
  /** Probabilities by the first `rounds` trees. */
  predict(block: Block, rounds: number): Float64Array;
  /** SHAP values of the log odds by the first `rounds` trees: per row one per column and the base. */
  contributions(block: Block, rounds: number): Float64Array;
  dump(): LightGbmDump;
  free(): void;
}

export interface LightGbmApi {
  dataset(block: Block, labels: Float32Array, parameters: string, reference?: BoosterDataset): BoosterDataset;
  booster(dataset: BoosterDataset, parameters: string): Booster;
}

type NativeFunction = (...args: unknown[]) => number;

// Constants of LightGBM's c_api.h.
const FLOAT32 = 0;
const ROW_MAJOR = 1;
const PREDICT_NORMAL = 0;
const PREDICT_CONTRIBUTIONS = 3;
const FIRST_VALIDATION = 1;
const ALL_ROUNDS = -1;
const SPLIT_IMPORTANCE = 0;

/**
 * Loads LightGBM's C library. Call it in a training process only: native code that crashes must not take the platform down.
 * @throws DomainError `trainingFailed` when the file is no LightGBM library or a call fails
 */
export function loadLightGbm(libraryPath: string): LightGbmApi {
  const native = bindFunctions(libraryPath);
  const call = (name: keyof typeof native, ...args: unknown[]): void => {
    if (native[name](...args) === 0) return;
    throw new DomainError('trainingFailed', `LightGBM: ${native.lastError()}`);
  };
  return {
    dataset(block, labels, parameters, reference) {
      const out: unknown[] = [null];
      const shape = [FLOAT32, block.rows, block.columns, ROW_MAJOR];
      call('datasetCreateFromMat', block.matrix, ...shape, parameters, reference?.handle ?? null, out);
      const handle = out[0];
      call('datasetSetField', handle, 'label', labels, labels.length, FLOAT32);
      return { handle, free: () => call('datasetFree', handle) };
    },
    booster(dataset, parameters) {
      const out: unknown[] = [null];
      call('boosterCreate', dataset.handle, parameters, out);
      return wrapBooster(out[0], parameters, call);
    },
  };
}

type Call = (name: keyof ReturnType<typeof bindFunctions>, ...args: unknown[]) => void;

function wrapBooster(handle: unknown, parameters: string, call: Call): Booster {
  const predict = (kind: number, block: Block, rounds: number, result: Float64Array): Float64Array => {
    const shape = [FLOAT32, block.rows, block.columns, ROW_MAJOR];
    call('boosterPredictForMat', handle, block.matrix, ...shape, kind, 0, rounds, parameters, [0], result);
    return result;
  };
  return {
    addValidation: (dataset) => call('boosterAddValidData', handle, dataset.handle),
    update() {
      const finished = [0];
      call('boosterUpdateOneIter', handle, finished);
      return finished[0] === 0;
    },
    validationMetric() {
      const result = new Float64Array(1);
      call('boosterGetEval', handle, FIRST_VALIDATION, [0], result);
      return result[0] as number;
    },
    predict: (block, rounds) => predict(PREDICT_NORMAL, block, rounds, new Float64Array(block.rows)),
    contributions: (block, rounds) =>
      predict(PREDICT_CONTRIBUTIONS, block, rounds, new Float64Array(block.rows * (block.columns + 1))),
    dump() {
      const length = [0];
      call('boosterDumpModel', handle, 0, ALL_ROUNDS, SPLIT_IMPORTANCE, 0, length, new Uint8Array(1));
      const text = new Uint8Array(length[0] as number);
      call('boosterDumpModel', handle, 0, ALL_ROUNDS, SPLIT_IMPORTANCE, text.length, length, text);
      return parseDump(text);
    },
    free: () => call('boosterFree', handle),
  };
}

function parseDump(zeroTerminated: Uint8Array): LightGbmDump {
  const end = zeroTerminated.indexOf(0);
  const json = new TextDecoder().decode(zeroTerminated.subarray(0, end < 0 ? zeroTerminated.length : end));
  // C++ prints gains that are not finite as words JSON does not have; nothing read here is among them.
  return JSON.parse(json.replace(/:\s*-?(?:nan|inf)\b/g, ':null')) as LightGbmDump;
}

function bindFunctions(libraryPath: string) {
  try {
    const library = koffi.load(libraryPath);
    const bind = (declaration: string) => library.func(declaration) as NativeFunction;
    return {
      lastError: library.func('const char* LGBM_GetLastError()') as unknown as (...args: unknown[]) => number,
      datasetCreateFromMat: bind(
        'int LGBM_DatasetCreateFromMat(const void* data, int type, int rows, int columns, int rowMajor, const char* parameters, void* reference, _Out_ void** out)',
      ),
      datasetSetField: bind(
        'int LGBM_DatasetSetField(void* dataset, const char* name, const void* data, int count, int type)',
      ),
      datasetFree: bind('int LGBM_DatasetFree(void* dataset)'),
      boosterCreate: bind('int LGBM_BoosterCreate(void* dataset, const char* parameters, _Out_ void** out)'),
      boosterAddValidData: bind('int LGBM_BoosterAddValidData(void* booster, void* dataset)'),
      boosterUpdateOneIter: bind('int LGBM_BoosterUpdateOneIter(void* booster, _Out_ int* finished)'),
      boosterGetEval: bind('int LGBM_BoosterGetEval(void* booster, int data, _Out_ int* count, _Out_ double* results)'),
      boosterPredictForMat: bind(
        'int LGBM_BoosterPredictForMat(void* booster, const void* data, int type, int rows, int columns, int rowMajor, int kind, int start, int rounds, const char* parameters, _Out_ int64_t* count, _Out_ double* results)',
      ),
      boosterDumpModel: bind(
        'int LGBM_BoosterDumpModel(void* booster, int start, int rounds, int importance, int64_t size, _Out_ int64_t* length, _Out_ uint8_t* text)',
      ),
      boosterFree: bind('int LGBM_BoosterFree(void* booster)'),
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DomainError('trainingFailed', `LightGBM's library cannot be loaded from ${libraryPath}: ${reason}`);
  }
}
