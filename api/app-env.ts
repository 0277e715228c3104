import type { HttpBindings } from '@hono/node-server';
import type { ErrorForm } from './error-form.ts';
import type { Ticket } from './overload/admission.ts';
import type { Principal } from './security/key-directory.ts';
import type { Trace } from './trace-context.ts';

/** What a request carries through the middleware. `incoming` is absent where a test calls the app without a port. */
export interface AppEnv {
  Bindings: Partial<HttpBindings>;
  Variables: {
    /** The caller's `X-Request-Id`, or a new UUID. */
    requestId: string;
    /** True when the caller gave the id. */
    requestIdGiven: boolean;
    /** Where the caller named one. */
    trace?: Trace;
    /** `performance.now()` when the request came in. */
    startedAt: number;
    /** Code of the problem answered, for the metrics. */
    errorCode?: string;
    /** Set on the routes of a compatibility protocol; absent: problem details. */
    errorForm?: ErrorForm;
    /** Set where the caller's key has a limit. */
    rateHeaders?: Readonly<Record<string, string>>;
    /** Set where it was read before the handler came to it. */
    body?: Buffer;
    /** Set on predictions: to be begun when the body is there. */
    ticket?: Ticket;
    /** Set on every route that needs a permission. */
    principal?: Principal;
  };
}
