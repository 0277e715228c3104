import { Context } from '@temporalio/activity';
import { DomainError } from '../domain/errors.ts';
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
    if (!signal.aborted) throw error;
    // The work died of the signal: what is reported is the signal. A worker that shuts down hands the work on at once,
    // instead of leaving Temporal to miss the heartbeats.
    if (isShutdown(signal.reason)) throw new DomainError('unavailable', 'The worker that did this was stopped');
    return await context.cancelled;
  } finally {
    clearInterval(timer);
  }
}

function isShutdown(reason: unknown): boolean {
  return reason instanceof Error && reason.message === 'WORKER_SHUTDOWN';
}
