import { randomUUID } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import type { AppEnv } from '../app-env.ts';
import { readTrace } from '../trace-context.ts';

/** What a caller may use as an id: it comes back in a header and goes into the log. */
const REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/;

/** The caller's own id, or `null` when there is none that can be used. */
export function usableRequestId(given: string | undefined): string | null {
  return given !== undefined && REQUEST_ID.test(given) ? given : null;
}

/** Gives every request an id and a trace, the caller's where they are usable, and a start time. */
export function requestContext(): MiddlewareHandler<AppEnv> {
  return (c, next) => {
    const given = usableRequestId(c.req.header('x-request-id'));
    c.set('requestId', given ?? randomUUID());
    c.set('requestIdGiven', given !== null);
    const trace = readTrace(c.req.header('traceparent'));
    if (trace !== null) c.set('trace', trace);
    c.set('startedAt', performance.now());
    return next();
  };
}
