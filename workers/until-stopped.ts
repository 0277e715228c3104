import type { Logger } from '../adapters/logger.ts';
import { onSupervisorGone } from '../adapters/on-supervisor-gone.ts';

/** Aborts when the process is told to end, or its supervisor is gone. */
export function untilStopped(log: Logger): AbortSignal {
  const controller = new AbortController();
  const stop = (reason: string): void => {
    if (controller.signal.aborted) return;
    log.info({ reason }, 'stopping');
    controller.abort();
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  onSupervisorGone(() => stop('the supervisor is gone'));
  return controller.signal;
}
