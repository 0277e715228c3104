import type { InferenceSession } from 'onnxruntime-node';
import type { Signature } from '../../domain/signature.ts';
import type { ForeignBinding } from '../manifest.ts';
import { createFeed, readProbabilities } from './foreign-tensors.ts';
import { openRunner } from './open-runner.ts';
import type { Feeds, GraphRunner } from './open-runner.ts';
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
  return bindRunner(await openRunner(onnx, binding.output.name), signature, binding);
}

/** The same around a session that is open already. */
export function bindForeignGraph(
  session: InferenceSession,
  signature: Signature,
  binding: ForeignBinding,
): ForeignGraph {
  const fetches = [binding.output.name];
  const runner = { run: (feeds: Feeds) => session.run(feeds, fetches), release: () => session.release() };
  return bindRunner(runner, signature, binding);
}

function bindRunner(runner: GraphRunner, signature: Signature, binding: ForeignBinding): ForeignGraph {
  const strings = createStringTable();
  const encoder = compileRowEncoder(signature, strings);
  const feed = createFeed(binding, encoder.width, strings);
  return {
    encoder,
    strings,
    run: (matrix, rows) => {
      const outputs = runner.run(feed(matrix, rows));
      if (!(outputs instanceof Promise)) return readProbabilities(outputs, binding.output, rows);
      return outputs.then((given) => readProbabilities(given, binding.output, rows));
    },
    release: () => runner.release(),
  };
}
