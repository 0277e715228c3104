import { InferenceSession } from 'onnxruntime-node';
import { DomainError } from '../../domain/errors.ts';

/**
 * `session.run` is synchronous on the event loop whatever its options: one thread, no pool that spins, and no memory
 * pattern per batch size, since every run has another number of rows. Errors come as exceptions: the library's own
 * lines on stderr (all below fatal) would break the JSON log.
 */
export const SESSION_OPTIONS: InferenceSession.SessionOptions = {
  executionProviders: ['cpu'],
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: 'sequential',
  enableMemPattern: false,
  logSeverityLevel: 4,
};

/** @throws DomainError `artefactCorrupt` with the reason of onnxruntime */
export async function openSession(bytes: Uint8Array): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(bytes, SESSION_OPTIONS);
  } catch (cause) {
    throw new DomainError('artefactCorrupt', `onnxruntime refuses the graph: ${String(cause)}`);
  }
}
