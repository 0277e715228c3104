import type { Context, MiddlewareHandler } from 'hono';
import type { AppEnv } from '../app-env.ts';
import { furtherRows } from './charge-rows.ts';
import type { ChargeRows } from './charge-rows.ts';

/**
 * Takes one row of the caller's limit when a prediction is asked, before its body is read: also what turns out not to
 * be a prediction costs its asker something. After the check of the key.
 */
export function limitPredictions(charge: ChargeRows): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    await chargeCaller(c, charge, 1);
    await next();
  };
}

/**
 * Takes the rows beyond the first, all or none.
 * @throws DomainError `rateLimited`, `invalidInput` (more than the limit ever allows at once)
 */
export async function chargeFurtherRows(c: Context<AppEnv>, charge: ChargeRows, rows: number): Promise<void> {
  const further = furtherRows(rows);
  if (further > 0) await chargeCaller(c, charge, further);
}

async function chargeCaller(c: Context<AppEnv>, charge: ChargeRows, rows: number): Promise<void> {
  const principal = c.get('principal');
  if (principal === undefined) return;
  const charged = charge(principal, rows);
  const { headers, refusal } = charged instanceof Promise ? await charged : charged;
  if (headers !== null) c.set('rateHeaders', headers);
  if (refusal !== null) throw refusal;
}
