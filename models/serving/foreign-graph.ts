import type { InferenceSession } from 'onnxruntime-node';
import type { Signature } from '../../domain/signature.ts';
import type { ForeignBinding } from '../manifest.ts';
import { createFeed, readProbabilities } from './foreign-tensors.ts';
import { openSession } from './open-session.ts';
import type { RunRows } from './row-batcher.ts';
import { compileRowEncoder } from './row-encoder.ts';
import type { RowEncoder } from './row-encoder.ts';
import { createStringTable } from './string-table.ts';
import type { StringTable } from './string-table.ts';

/** A graph without the platform's convention, served through its own inputs. */
export interface ForeignGraph {
  readonly encoder: RowEncoder;
  readonly run: RunRows;
  readonly strings: StringTable;
  release(): Promise<void>;
}

/** @throws DomainError `artefactCorrupt` when onnxruntime cannot load the graph */
export async function openForeignGraph(
  onnx: Uint8Array,
  signature: Signature,
  binding: ForeignBinding,
): Promise<ForeignGraph> {
  return bindForeignGraph(await openSession(onnx), signature, binding);
}

/** The same around a session that is open already. */
export function bindForeignGraph(
  session: InferenceSession,
  signature: Signature,
  binding: ForeignBinding,
): ForeignGraph {
  const strings = createStringTable();
  const encoder = compileRowEncoder(signature, strings);
  const feed = createFeed(binding, encoder.width, strings);
  // Nothing else is fetched: a label, or a ZipMap that the binding leaves aside, costs time for nothing.
  const fetches = [binding.output.name];
  return {
    encoder,
    strings,
    run: async (matrix, rows) => {
      const outputs = await session.run(feed(matrix, rows), fetches);
      return readProbabilities(outputs, binding.output, rows);
    },
    release: () => session.release(),
  };
}
