import { randomUUID } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import type { AppEnv } from '../app-env.ts';

/** What a caller may use as an id: it comes back in a header and goes into the log. */
const REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/;

/** Gives every request an id, the caller's where it is usable, and a start time. */
export function requestContext(): MiddlewareHandler<AppEnv> {
  return (c, next) => {
    const given = c.req.header('x-request-id');
    const usable = given !== undefined && REQUEST_ID.test(given);
    c.set('requestId', usable ? given : randomUUID());
    c.set('requestIdGiven', usable);
    c.set('startedAt', performance.now());
    return next();
  };
}
