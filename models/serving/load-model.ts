import { Tensor } from 'onnxruntime-node';
import { ENCODED_TENSOR, OUTPUT_TENSOR } from '../../domain/encoding.ts';
import { DomainError } from '../../domain/errors.ts';
import type { Signature } from '../../domain/signature.ts';
import type { ArtefactManifest, ForeignBinding } from '../manifest.ts';
import { createRawScorer } from '../onnx/raw-scorer.ts';
import { openForeignGraph } from './foreign-graph.ts';
import { encodeLeniently, proveGolden } from './golden-proof.ts';
import { openRunner } from './open-runner.ts';
import type { GraphRunner, Outputs } from './open-runner.ts';
import { readArtefact } from './read-artefact.ts';
import { RowBatcher } from './row-batcher.ts';
import type { RowWaiter, RunRows } from './row-batcher.ts';
import { compileRowEncoder } from './row-encoder.ts';
import type { EncodeResult, RowEncoder } from './row-encoder.ts';
import { compileRowScanner } from './row-scanner.ts';
import type { RowScanner } from './row-scanner.ts';
import { runInPieces } from './run-in-pieces.ts';
import type { StringTable } from './string-table.ts';

/** One version, proven and warm. Rows are encoded by `encoder` and given as its floats. */
export interface LoadedModel extends Pick<RowBatcher, 'predictOne' | 'predictMany'> {
  readonly signature: Signature;
  readonly encoder: RowEncoder;
  /** One row to encode into and give to `predictOne`, which copies it at once: a single prediction allocates none. */
  readonly row: Float32Array;
  /**
   * Checks a row and encodes it straight into the input of the next run. With problems there is nothing to wait for.
   * @throws DomainError `unavailable` when too many rows wait, or after `close`
   */
  placeOne?(features: unknown, waiter: RowWaiter): EncodeResult;
  /**
   * The same from the JSON text of the features (ASCII) where that is of the usual form and ends at `end`; false: it has
   * to be parsed, and nothing waits.
   * @throws DomainError `unavailable` as `placeOne`
   */
  placeText?(text: string, at: number, end: number, waiter: RowWaiter): boolean;
  /** Answers what waits, then frees the session. Rows given afterwards are refused as `unavailable`. */
  close(): Promise<void>;
}

export interface LoadSource {
  readonly onnx: Uint8Array;
  readonly manifest: ArtefactManifest;
}

export interface LoadOptions {
  /** Called with the number of rows of every run. */
  readonly onBatch?: (rows: number) => void;
}

/** Single runs before a model counts as warm: the first ones pay for allocations. */
const WARM_UP_RUNS = 10;

/** A session with what feeds it. */
interface OpenedGraph {
  readonly encoder: RowEncoder;
  readonly run: RunRows;
  readonly strings?: StringTable;
  release(): Promise<void>;
}

/**
 * Loads a version for serving: derives the float graph (or binds the own inputs of an imported one), proves it on the
 * golden rows, warms it.
 * @throws DomainError `artefactCorrupt` when the artefact breaks the convention or the proof
 */
export async function loadModel(source: LoadSource, options: LoadOptions = {}): Promise<LoadedModel> {
  const { signature, formatVersion } = source.manifest;
  if ((formatVersion as number) !== 1) {
    throw new DomainError('artefactCorrupt', `The manifest has format version ${String(formatVersion)}; expected 1`);
  }
  const graph = await openProven(source);
  const { encoder, run, strings } = graph;
  const first = source.manifest.golden.slice(0, 1).map((row) => row.features);
  await warmUp(run, encodeLeniently(signature, first, strings)).catch(async (error: unknown) => {
    await graph.release();
    throw error;
  });
  const batcher = new RowBatcher(encoder.width, runInPieces(run, encoder.width), options.onBatch);
  let closing: Promise<void> | null = null;
  return {
    signature,
    encoder,
    row: new Float32Array(encoder.width),
    predictOne: (row) => batcher.predictOne(row),
    predictMany: (rows, count) => batcher.predictMany(rows, count),
    ...placing(batcher, encoder, compileRowScanner(signature)),
    close: () => (closing ??= batcher.drain().then(() => graph.release())),
  };
}

/** Rows straight into the input of the next run: what was found of the last one is held here, not in a closure each. */
function placing(
  batcher: RowBatcher,
  encoder: RowEncoder,
  scanner: RowScanner | null,
): Pick<LoadedModel, 'placeOne' | 'placeText'> {
  let result: EncodeResult;
  const write = (features: unknown, matrix: Float32Array, offset: number): boolean => {
    result = encoder.encode(features, matrix, offset);
    return result.problems.length === 0;
  };
  const placeOne = (features: unknown, waiter: RowWaiter): EncodeResult => {
    batcher.placeOne(features, write, waiter);
    return result;
  };
  if (scanner === null) return { placeOne };
  let from = 0;
  let until = 0;
  let isPlaced = false;
  const scan = (text: string, matrix: Float32Array, offset: number): boolean => {
    isPlaced = scanner.scan(text, from, matrix, offset) === until;
    return isPlaced;
  };
  return {
    placeOne,
    placeText: (text, at, end, waiter) => {
      from = at;
      until = end;
      batcher.placeOne(text, scan, waiter);
      return isPlaced;
    },
  };
}

function openProven(source: LoadSource): Promise<OpenedGraph> {
  const { foreign } = source.manifest;
  return foreign === undefined ? openOwn(source) : openForeign(source, foreign);
}

async function openOwn(source: LoadSource): Promise<OpenedGraph> {
  const { signature } = source.manifest;
  const { coreBytes } = readArtefact(source.onnx, signature);
  const encoder = compileRowEncoder(signature);
  const runner = await openRunner(coreBytes, OUTPUT_TENSOR);
  const run = runOf(runner, encoder.width);
  const release = (): Promise<void> => runner.release();
  try {
    await prove(source, run);
  } catch (error) {
    await release();
    throw error;
  }
  return { encoder, run, release };
}

async function openForeign({ onnx, manifest }: LoadSource, binding: ForeignBinding): Promise<OpenedGraph> {
  const { signature, golden } = manifest;
  const graph = await openForeignGraph(onnx, signature, binding);
  try {
    await proveGolden({ raw: null, core: graph.run, signature, golden, strings: graph.strings });
  } catch (error) {
    await graph.release();
    throw error;
  }
  return graph;
}

function runOf(runner: GraphRunner, width: number): RunRows {
  return (matrix, rows) => {
    const outputs = runner.run({ [ENCODED_TENSOR]: new Tensor('float32', matrix, [rows, width]) });
    return outputs instanceof Promise ? outputs.then(probabilitiesIn) : probabilitiesIn(outputs);
  };
}

const probabilitiesIn = (outputs: Outputs): Float32Array => outputs[OUTPUT_TENSOR]?.data as Float32Array;

/** The raw graph is open for the proof alone: it would hold the model's memory twice. */
async function prove(source: LoadSource, core: RunRows): Promise<void> {
  const { signature, golden } = source.manifest;
  const raw = await createRawScorer(source.onnx, signature.features);
  try {
    await proveGolden({ raw, core, signature, golden });
  } finally {
    await raw.release();
  }
}

async function warmUp(run: RunRows, row: Float32Array): Promise<void> {
  for (let i = 0; i < WARM_UP_RUNS; i += 1) await run(row, 1);
}
