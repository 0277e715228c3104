import { Tensor } from 'onnxruntime-node';
import type { InferenceSession } from 'onnxruntime-node';
import { ENCODED_TENSOR, OUTPUT_TENSOR } from '../../domain/encoding.ts';
import { DomainError } from '../../domain/errors.ts';
import type { Signature } from '../../domain/signature.ts';
import type { ArtefactManifest, ForeignBinding } from '../manifest.ts';
import { createRawScorer } from '../onnx/raw-scorer.ts';
import { openForeignGraph } from './foreign-graph.ts';
import { encodeLeniently, proveGolden } from './golden-proof.ts';
import { openSession } from './open-session.ts';
import { readArtefact } from './read-artefact.ts';
import { RowBatcher } from './row-batcher.ts';
import type { RunRows } from './row-batcher.ts';
import { compileRowEncoder } from './row-encoder.ts';
import type { RowEncoder } from './row-encoder.ts';
import type { StringTable } from './string-table.ts';

/** One version, proven and warm. Rows are encoded by `encoder` and given as its floats. */
export interface LoadedModel extends Pick<RowBatcher, 'predictOne' | 'predictMany'> {
  readonly signature: Signature;
  readonly encoder: RowEncoder;
  /** One row to encode into and give to `predictOne`, which copies it at once: a single prediction allocates none. */
  readonly row: Float32Array;
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
  const batcher = new RowBatcher(encoder.width, run, options.onBatch);
  let closing: Promise<void> | null = null;
  return {
    signature,
    encoder,
    row: new Float32Array(encoder.width),
    predictOne: (row) => batcher.predictOne(row),
    predictMany: (rows, count) => batcher.predictMany(rows, count),
    close: () => (closing ??= batcher.drain().then(() => graph.release())),
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
  const session = await openSession(coreBytes);
  const run = runOf(session, encoder.width);
  const release = (): Promise<void> => session.release();
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

function runOf(session: InferenceSession, width: number): RunRows {
  return async (matrix, rows) => {
    const outputs = await session.run({ [ENCODED_TENSOR]: new Tensor('float32', matrix, [rows, width]) });
    return outputs[OUTPUT_TENSOR]?.data as Float32Array;
  };
}

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
