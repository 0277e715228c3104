import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sql } from 'drizzle-orm';
import { migrate as applyMigrations } from 'drizzle-orm/node-postgres/migrator';
import { DomainError } from '../domain/errors.ts';
import { createDatabase, type Drizzle } from './connect.ts';
import { ensurePartitions } from './partitions.ts';

/** Names the advisory lock of migrations; any constant that no other lock of the registry uses. */
const MIGRATION_LOCK = 7_508_400;
/** How long a process waits for another one that migrates; also the bound of one migration's statement. */
const MIGRATION_TIMEOUT_MS = 300_000;
const DAYS_AHEAD = 7;
const JOURNAL = 'meta/_journal.json';

interface Journal {
  readonly entries: readonly { readonly tag: string; readonly when: number }[];
}

export interface MigrateOptions {
  /** Epoch ms of the newest migration to apply; default all that this release has. */
  readonly until?: number;
}

/**
 * Brings the schema up to date, or to what it was after one migration, one process at a time, and makes the daily partitions.
 * @throws DomainError `refused` when the database was migrated by a newer release, `unavailable` when it cannot be reached
 */
export async function migrate(databaseUrl: string, { until }: MigrateOptions = {}): Promise<void> {
  const whole = migrationsFolder();
  const folder = until === undefined ? whole : earlierMigrations(whole, until);
  const database = createDatabase(databaseUrl, {
    applicationName: 'sluice-migrate',
    // One connection: the lock belongs to the session that migrates, and goes with it at the end.
    poolConnectionsMax: 1,
    statementTimeoutMs: MIGRATION_TIMEOUT_MS,
    operationTimeoutMs: MIGRATION_TIMEOUT_MS,
  });
  try {
    await database.run(async (db) => {
      await db.execute(sql`select pg_advisory_lock(${MIGRATION_LOCK})`);
      await refuseNewerSchema(db, folder);
      await applyMigrations(db, { migrationsFolder: folder });
    });
    if (until === undefined) await ensurePartitions(database, DAYS_AHEAD, Date.now());
  } finally {
    if (folder !== whole) rmSync(folder, { recursive: true, force: true });
    await database.close();
  }
}

/**
 * The folder of SQL files: beside this file in the source tree and in a build that copied them (`dist/db`), else in
 * the package's root above `dist`, as `tsc` copies no SQL.
 */
export function migrationsFolder(): string {
  const places = ['./migrations', '../../db/migrations'].map((p) => fileURLToPath(new URL(p, import.meta.url)));
  const found = places.find((p) => existsSync(`${p}/${JOURNAL}`));
  if (found === undefined) {
    throw new DomainError('internal', `The migrations are missing: looked in ${places.join(' and ')}`);
  }
  return found;
}

/** A folder of the migrations up to one of them; the migrator knows no other way to stop. */
function earlierMigrations(whole: string, until: number): string {
  const journal = readJournal(whole);
  const entries = journal.entries.filter(({ when }) => when <= until);
  if (entries.at(-1)?.when !== until) {
    const newest = journal.entries.at(-1)?.tag ?? 'none';
    throw new DomainError(
      'refused',
      `This release has no migration of ${new Date(until).toISOString()} (its newest: ${newest}): use the release that wrote this, or a newer one`,
    );
  }
  const folder = mkdtempSync(join(tmpdir(), 'sluice-migrations-'));
  mkdirSync(join(folder, 'meta'));
  for (const { tag } of entries) copyFileSync(join(whole, `${tag}.sql`), join(folder, `${tag}.sql`));
  writeFileSync(join(folder, JOURNAL), JSON.stringify({ ...journal, entries }));
  return folder;
}

function readJournal(folder: string): Journal {
  return JSON.parse(readFileSync(join(folder, JOURNAL), 'utf8')) as Journal;
}

async function refuseNewerSchema(db: Drizzle, folder: string): Promise<void> {
  const journal = readJournal(folder);
  const newestKnown = Math.max(...journal.entries.map((e) => e.when));
  const applied = await newestApplied(db);
  if (applied <= newestKnown) return;
  const known = journal.entries.at(-1)?.tag ?? 'none';
  const found = new Date(applied).toISOString();
  throw new DomainError(
    'refused',
    `The database has a newer schema (migration of ${found}) than this release knows (${known}): run the newer release`,
  );
}

/** Epoch ms of the newest migration that the database has seen, 0 for none. */
async function newestApplied(db: Drizzle): Promise<number> {
  const table = await db.execute(sql`select to_regclass('drizzle.__drizzle_migrations') as name`);
  if (table.rows[0]?.['name'] === null) return 0;
  const newest = await db.execute(sql`select max(created_at) as newest from drizzle.__drizzle_migrations`);
  return Number(newest.rows[0]?.['newest'] ?? 0);
}
