import { NativeConnection } from '@temporalio/worker';
import type { Logger } from '../adapters/logger.ts';

/** Temporal and the worker may start side by side; longer than this it is not coming. */
const CONNECT_WITHIN_MS = 120_000;
const TRY_EVERY_MS = 1_000;

/** Connects, trying again while Temporal is still starting. @throws the last error after two minutes */
export async function connectWorker(address: string, log: Logger, signal: AbortSignal): Promise<NativeConnection> {
  const deadline = Date.now() + CONNECT_WITHIN_MS;
  for (let attempt = 1; ; attempt++) {
    try {
      return await NativeConnection.connect({ address });
    } catch (error) {
      if (Date.now() > deadline || signal.aborted) throw error;
      log.warn({ address, attempt, err: error }, 'Temporal does not answer yet');
      await new Promise((resolve) => setTimeout(resolve, TRY_EVERY_MS));
    }
  }
}
