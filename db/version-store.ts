import { and, desc, eq, inArray, max, ne, sql } from 'drizzle-orm';
import { DomainError } from '../domain/errors.ts';
import { writeAudit } from './audit-store.ts';
import type { Database, Drizzle } from './connect.ts';
import { lockModel } from './model-store.ts';
import type { VersionRow, VersionStore } from './ports.ts';
import { ALIASES, gateReports, modelAliases, modelVersions, type Alias } from './schema.ts';

/** Rows one list may return, whatever the caller asks. */
const LIST_MAX = 1_000;
/** Actor of entries that no person asked for. */
const PLATFORM = 'platform';

const columns = {
  model: modelVersions.model,
  version: modelVersions.version,
  status: modelVersions.status,
  algorithm: modelVersions.algorithm,
  artefactDigest: modelVersions.artefactDigest,
  manifestDigest: modelVersions.manifestDigest,
  signature: modelVersions.signature,
  evaluation: modelVersions.evaluation,
  lineage: modelVersions.lineage,
  createdAt: modelVersions.createdAt,
};
const isVersion = (model: string, version: number) =>
  and(eq(modelVersions.model, model), eq(modelVersions.version, version));

export function createVersionStore(database: Database): VersionStore {
  return {
    register: (row) => database.transact((tx) => register(tx, row)),
    settle: (model, version, status, because) => database.transact((tx) => settle(tx, model, version, status, because)),
    find: (model, version) =>
      database.run(async (db) => {
        const [row] = await db.select(columns).from(modelVersions).where(isVersion(model, version));
        return row ?? null;
      }),
    list: (model, limit) =>
      database.run((db) =>
        db
          .select(columns)
          .from(modelVersions)
          .where(eq(modelVersions.model, model))
          .orderBy(desc(modelVersions.version))
          .limit(Math.min(limit, LIST_MAX)),
      ),
    aliases: (model) =>
      database.run(async (db) => {
        const rows = await db
          .select({ alias: modelAliases.alias, version: modelAliases.version })
          .from(modelAliases)
          .where(eq(modelAliases.model, model));
        return Object.fromEntries(rows.map((r) => [r.alias, r.version]));
      }),
    setAliases: (model, aliases, by, changeId) =>
      database.transact((tx) => setAliases(tx, model, aliases, by, changeId)),
    recordGates: ({ runId, ...report }) =>
      database.run(async (db) => {
        // The same run again has measured again: what it saw last stands.
        await db
          .insert(gateReports)
          .values({ ...report, runId })
          .onConflictDoUpdate({ target: gateReports.runId, set: { ...report, createdAt: sql`now()` } });
      }),
    latestGates: (model, version) =>
      database.run(async (db) => {
        const { passed, results, performance, createdAt } = gateReports;
        const [row] = await db
          .select({ passed, results, performance, createdAt })
          .from(gateReports)
          .where(and(eq(gateReports.model, model), eq(gateReports.version, version)))
          .orderBy(desc(gateReports.createdAt), desc(gateReports.id))
          .limit(1);
        return row ?? null;
      }),
  };
}

async function register(tx: Drizzle, row: Parameters<VersionStore['register']>[0]): Promise<VersionRow> {
  const { model, registeredByRun } = row;
  // The lock makes max + 1 safe, and lets a retry that overtakes its first try find that one's row.
  await lockModel(tx, model);
  const [known] = await tx
    .select(columns)
    .from(modelVersions)
    .where(eq(modelVersions.registeredByRun, registeredByRun));
  if (known !== undefined) {
    if (known.model === model) return known;
    throw new DomainError('conflict', `Run ${registeredByRun} registered a version of ${known.model}, not ${model}`);
  }
  const [newest] = await tx
    .select({ version: max(modelVersions.version) })
    .from(modelVersions)
    .where(eq(modelVersions.model, model));
  const version = (newest?.version ?? 0) + 1;
  const [stored] = await tx
    .insert(modelVersions)
    .values({ ...row, version, status: 'validating' })
    .returning(columns);
  if (stored === undefined) throw new DomainError('internal', `Version ${version} of ${model} was not stored`);
  const details = { version, algorithm: row.algorithm, artefactDigest: row.artefactDigest, run: registeredByRun };
  await writeAudit(tx, { actor: PLATFORM, action: 'version.register', subject: model, details });
  return stored;
}

async function settle(
  tx: Drizzle,
  ...[model, version, status, because]: Parameters<VersionStore['settle']>
): Promise<void> {
  const changed = await tx
    .update(modelVersions)
    .set({ status })
    .where(and(isVersion(model, version), ne(modelVersions.status, status)))
    .returning({ version: modelVersions.version });
  if (changed.length === 0) {
    await requireVersions(tx, model, [version]);
    return;
  }
  const entry = {
    actor: because?.by ?? PLATFORM,
    action: 'version.settle',
    subject: model,
    details: { version, status },
  };
  await writeAudit(tx, because === undefined ? entry : { ...entry, reason: because.reason });
}

async function setAliases(
  tx: Drizzle,
  model: string,
  aliases: Parameters<VersionStore['setAliases']>[1],
  by: string,
  changeId: string,
): Promise<void> {
  await lockModel(tx, model);
  const details = { aliases };
  const entry = { actor: by, action: 'version.alias', subject: model, details };
  const isNew = await writeAudit(tx, { ...entry, changeId: `aliases/${model}/${changeId}` });
  if (!isNew) return;
  const named = ALIASES.flatMap((alias): { alias: Alias; version: number | null }[] => {
    const version = aliases[alias];
    return version === undefined ? [] : [{ alias, version }];
  });
  await requireVersions(
    tx,
    model,
    named.flatMap((n) => (n.version === null ? [] : [n.version])),
  );
  for (const { alias, version } of named) {
    if (version === null) {
      await tx.delete(modelAliases).where(and(eq(modelAliases.model, model), eq(modelAliases.alias, alias)));
    } else {
      await tx
        .insert(modelAliases)
        .values({ model, alias, version, updatedBy: by })
        .onConflictDoUpdate({
          target: [modelAliases.model, modelAliases.alias],
          set: { version, updatedBy: by, updatedAt: sql`now()` },
        });
    }
  }
}

/** @throws DomainError `notFound` naming the versions that do not exist */
export async function requireVersions(tx: Drizzle, model: string, versions: readonly number[]): Promise<void> {
  const wanted = [...new Set(versions)];
  if (wanted.length === 0) return;
  const rows = await tx
    .select({ version: modelVersions.version })
    .from(modelVersions)
    .where(and(eq(modelVersions.model, model), inArray(modelVersions.version, wanted)));
  const found = new Set(rows.map((r) => r.version));
  const missing = wanted.filter((v) => !found.has(v));
  if (missing.length === 0) return;
  throw new DomainError('notFound', `Model ${model} has no version ${missing.join(', ')}`);
}
