import { Context } from '@temporalio/activity';
import type { JobControl, JobProgress } from '../models/training/job.ts';

/** Well under the heartbeat timeouts of the workflows (20 s), so that one lost beat is no lost worker. */
const BEAT_EVERY_MS = 3_000;

/**
 * Runs long work with a heartbeat that carries its last progress, and stops it when Temporal or the worker's
 * shutdown says so.
 */
export async function heartbeating<T>(
  first: JobProgress,
  memoryMb: number,
  work: (control: JobControl) => Promise<T>,
): Promise<T> {
  const context = Context.current();
  const signal = context.cancellationSignal;
  let last = first;
  const beat = (): void => context.heartbeat(last);
  const timer = setInterval(beat, BEAT_EVERY_MS);
  beat();
  try {
    const onProgress = (progress: JobProgress): void => {
      last = progress;
      beat();
    };
    return await work({ onProgress, signal, memoryMb });
  } catch (error) {
    // The work died of the signal: what is reported is the cancellation, not how it died.
    if (signal.aborted) await context.cancelled;
    throw error;
  } finally {
    clearInterval(timer);
  }
}
