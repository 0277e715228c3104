import type { MiddlewareHandler } from 'hono';
import type { AppEnv } from '../app-env.ts';
import type { Admission } from './admission.ts';
import { bodyBytesOf, overdue, overloaded } from './overloaded.ts';

/**
 * Lets predictions in as long as they can be answered in time. Before everything else, the key included: a refusal must
 * cost next to nothing.
 * @param limitBytes of the operation's body
 * @throws DomainError `overloaded`
 */
export function admitPredictions(admission: Admission, limitBytes: number): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    let giveUp: (reason: unknown) => void = () => undefined;
    const late = new Promise<never>((_, reject) => (giveUp = reject));
    const headers = {
      'content-length': c.req.header('content-length'),
      'transfer-encoding': c.req.header('transfer-encoding'),
    };
    const ticket = admission.arrive(bodyBytesOf(headers, limitBytes), () => giveUp(overdue()));
    if (ticket === null) throw overloaded();
    c.set('ticket', ticket);
    try {
      await Promise.race([next(), late]);
    } finally {
      ticket.end();
    }
  };
}
