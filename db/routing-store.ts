import { and, asc, eq, sql } from 'drizzle-orm';
import { DomainError, type Problem } from '../domain/errors.ts';
import type { RoutingTable } from '../domain/routing.ts';
import { NO_SERVING_POLICY } from '../domain/serving-policy.ts';
import type { CachePolicy, Fallback, RoutedModel } from '../domain/serving-policy.ts';
import { writeAudit } from './audit-store.ts';
import type { Database, Drizzle } from './connect.ts';
import { recordGeneration } from './ledger-store.ts';
import type { RoutingChange, RoutingStore } from './ports.ts';
import { auditLog, modelAliases, models, routing } from './schema.ts';
import { requireVersions } from './version-store.ts';

/** Channel of `NOTIFY`; the payload is the model's name. */
const CHANNEL = 'sluice_routing';
/** Models of one installation; the tables are read whole. */
const TABLES_MAX = 1_000;

const columns = {
  model: routing.model,
  generation: routing.generation,
  salt: routing.salt,
  rolloutId: routing.rolloutId,
  routes: routing.routes,
  slowMs: routing.slowMs,
};

export function createRoutingStore(database: Database): RoutingStore {
  return {
    find: (model) =>
      database.run(async (db) => {
        const [row] = await db.select(columns).from(routing).where(eq(routing.model, model));
        return row ?? null;
      }),
    all: () => database.run(readAll),
    apply: (change) => {
      const problems = routingProblems(change);
      if (problems.length > 0) {
        return Promise.reject(new DomainError('invalidInput', 'This routing cannot be applied', problems));
      }
      return database.transact((tx) => apply(tx, change));
    },
    listen: (onChange) => database.listen(CHANNEL, onChange),
  };
}

async function readAll(db: Drizzle): Promise<readonly RoutedModel[]> {
  const { definition } = models;
  const rows = await db
    .select({
      ...columns,
      fallback: sql<Fallback | null>`${definition} -> 'fallback'`,
      cache: sql<CachePolicy | null>`${definition} -> 'cache'`,
      previous: modelAliases.version,
    })
    .from(routing)
    .innerJoin(models, eq(models.name, routing.model))
    .leftJoin(modelAliases, and(eq(modelAliases.model, routing.model), eq(modelAliases.alias, 'previous')))
    .orderBy(asc(routing.model))
    .limit(TABLES_MAX);
  return rows.map(({ fallback, cache, previous, ...table }) => ({
    ...table,
    policy: { fallback: fallback ?? NO_SERVING_POLICY.fallback, cache, previous },
  }));
}

/** What is wrong with the routes of a change, apart from the versions' existence. */
function routingProblems(change: Pick<RoutingChange, 'routes' | 'slowMs'>): readonly Problem[] {
  const problems: Problem[] = [];
  const { routes, slowMs } = change;
  // Weights come in steps of 0.01: compared in those, so that float sums do not matter.
  const hundredths = routes.reduce((sum, r) => sum + Math.round(r.weightPercent * 100), 0);
  if (hundredths !== 10_000) {
    problems.push({ field: 'routes', message: `the weights sum to ${hundredths / 100}, not to 100` });
  }
  for (const [i, { weightPercent }] of routes.entries()) {
    if (weightPercent >= 0 && weightPercent <= 100) continue;
    problems.push({ field: `routes[${i}].weightPercent`, message: `${weightPercent} is not a number from 0 to 100` });
  }
  if (new Set(routes.map((r) => r.variant)).size < routes.length) {
    problems.push({ field: 'routes', message: 'a variant is named twice' });
  }
  if (!(slowMs > 0)) problems.push({ field: 'slowMs', message: `${slowMs} is not a positive number of milliseconds` });
  return problems;
}

async function apply(tx: Drizzle, change: RoutingChange): Promise<RoutingTable> {
  const { model, changeId, expectedGeneration, salt, rolloutId, routes, slowMs } = change;
  const auditId = `routing/${model}/${changeId}`;
  const earlier = await appliedBefore(tx, auditId);
  if (earlier !== null) return earlier;
  await requireVersions(
    tx,
    model,
    routes.map((r) => r.version),
  );
  const values = { generation: expectedGeneration + 1, salt, rolloutId, routes, slowMs, changeId };
  const written =
    expectedGeneration === 0
      ? await tx
          .insert(routing)
          .values({ model, ...values })
          .onConflictDoNothing()
          .returning(columns)
      : await tx
          .update(routing)
          .set({ ...values, updatedAt: sql`now()` })
          .where(and(eq(routing.model, model), eq(routing.generation, expectedGeneration)))
          .returning(columns);
  const table = written[0];
  if (table === undefined) {
    // A twin of this call may have won while this one waited for its row lock.
    return (await appliedBefore(tx, auditId)) ?? refuseGeneration(tx, change);
  }
  const details = { table, previousGeneration: expectedGeneration };
  const entry = { actor: change.by, action: 'routing.apply', subject: model, reason: change.reason, details };
  await writeAudit(tx, { ...entry, changeId: auditId });
  await recordGeneration(tx, { table, by: change.by, reason: change.reason, evidence: change.evidence ?? null });
  // Delivered at commit, so that a listener reads the new row.
  await tx.execute(sql`select pg_notify(${CHANNEL}, ${model})`);
  return table;
}

/** The table as this change wrote it, even when later changes followed: a late retry must not take their generation. */
async function appliedBefore(tx: Drizzle, auditId: string): Promise<RoutingTable | null> {
  const [entry] = await tx.select({ details: auditLog.details }).from(auditLog).where(eq(auditLog.changeId, auditId));
  return entry === undefined ? null : (entry.details['table'] as RoutingTable);
}

async function refuseGeneration(tx: Drizzle, change: RoutingChange): Promise<never> {
  const { model, expectedGeneration } = change;
  const [row] = await tx.select({ generation: routing.generation }).from(routing).where(eq(routing.model, model));
  const found = row?.generation ?? 0;
  throw new DomainError(
    'conflict',
    `The routing of ${model} is at generation ${found}, not ${expectedGeneration}: somebody else changed it`,
    [{ field: 'expectedGeneration', message: `read ${expectedGeneration}, found ${found}` }],
  );
}
