import { Context } from '@temporalio/activity';
import { DomainError } from '../domain/errors.ts';

/** Well under the shortest heartbeat timeout of a failover, 10 s. */
const BEAT_EVERY_MS = 2_000;

/** Work with a heartbeat, stopped when Temporal or the worker's shutdown says so. */
export async function beatWhile<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const context = Context.current();
  const { cancellationSignal: signal } = context;
  const timer = setInterval(() => context.heartbeat(), BEAT_EVERY_MS);
  context.heartbeat();
  try {
    return await work(signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    const { reason } = signal as { reason?: unknown };
    if (reason instanceof Error && reason.message === 'WORKER_SHUTDOWN')
      throw new DomainError('unavailable', 'The process that did this was stopped');
    return await context.cancelled;
  } finally {
    clearInterval(timer);
  }
}
