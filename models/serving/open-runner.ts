import type { OnnxValue } from 'onnxruntime-node';
import { DomainError } from '../../domain/errors.ts';
import { openSession } from './open-session.ts';
import { openSyncSession } from './sync-session.ts';

export type Feeds = Readonly<Record<string, OnnxValue>>;
export type Outputs = Readonly<Record<string, OnnxValue | undefined>>;

/** A graph that can be run: at once where the library allows it, with a promise otherwise. */
export interface GraphRunner {
  run(feeds: Feeds): Promise<Outputs> | Outputs;
  release(): Promise<void>;
}

/**
 * @param output the one tensor that is fetched: a label, or a ZipMap beside it, costs time for nothing
 * @throws DomainError `artefactCorrupt` with the reason of onnxruntime
 */
export async function openRunner(bytes: Uint8Array, output: string): Promise<GraphRunner> {
  const sync = openSync(bytes, [output]);
  if (sync !== null) return sync;
  const session = await openSession(bytes);
  const fetches = [output];
  return { run: (feeds) => session.run(feeds, fetches), release: () => session.release() };
}

function openSync(bytes: Uint8Array, outputs: readonly string[]): GraphRunner | null {
  try {
    return openSyncSession(bytes, outputs);
  } catch (cause) {
    throw new DomainError('artefactCorrupt', `onnxruntime refuses the graph: ${String(cause)}`);
  }
}
