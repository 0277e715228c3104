import type { MiddlewareHandler } from 'hono';
import { DomainError } from '../../domain/errors.ts';
import type { AppEnv } from '../app-env.ts';

/** Everything but predictions and probes waits for the database or for Temporal, up to ten seconds each. */
const IN_PROGRESS_MAX = 256;

/** Refuses what is above a fixed number in progress: callers of a database that is slow must not pile up. */
export function boundRequests(): MiddlewareHandler<AppEnv> {
  let inProgress = 0;
  return async (_, next) => {
    if (inProgress >= IN_PROGRESS_MAX) {
      throw new DomainError(
        'overloaded',
        `${IN_PROGRESS_MAX} requests like this one are in progress; try again`,
        [],
        2,
      );
    }
    inProgress += 1;
    try {
      await next();
    } finally {
      inProgress -= 1;
    }
  };
}
