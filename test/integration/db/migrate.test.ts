import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { migrate, migrationsFolder } from '../../../db/migrate.ts';
import { createTestDatabase, type TestDatabase } from '../../setup/database.ts';

let database: TestDatabase;
let sql: postgres.Sql;
beforeEach(async () => {
  database = await createTestDatabase();
  sql = postgres(database.databaseUrl, { max: 1, onnotice: () => undefined });
});
afterEach(async () => {
  await sql.end();
  await database.drop();
});

describe('migrate', () => {
  it('brings up an empty database, partitioned by day with a week ahead and a default', async () => {
    await migrate(database.databaseUrl);
    const [table] = await sql`select pg_get_partkeydef('predictions'::regclass) as key`;
    expect(table!['key']).toBe('RANGE (created_at)');
    const partitions = await sql`select inhrelid::regclass::text as name from pg_inherits
      where inhparent = 'predictions'::regclass order by 1`;
    const names = partitions.map((p) => p['name'] as string);
    expect(names).toContain('predictions_default');
    const day = (offset: number) => new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10);
    for (const offset of [-1, 0, 1, 6]) {
      expect(names).toContain(`predictions_${day(offset).replaceAll('-', '')}`);
    }
  });

  it('is safe in several processes at once, and again later', async () => {
    await Promise.all(Array.from({ length: 4 }, () => migrate(database.databaseUrl)));
    await migrate(database.databaseUrl);
    const [row] = await sql`select count(*)::int as n, count(distinct hash)::int as hashes
      from drizzle.__drizzle_migrations`;
    const files = readdirSync(migrationsFolder()).filter((f) => f.endsWith('.sql')).length;
    expect(row).toEqual({ n: files, hashes: files });
    const [locks] = await sql`select count(*)::int as n from pg_locks where locktype = 'advisory'
      and database = (select oid from pg_database where datname = current_database())`;
    expect(locks!['n']).toBe(0);
  });

  it('refuses a database that a newer release migrated, and leaves it as it is', async () => {
    await migrate(database.databaseUrl);
    await sql`insert into drizzle.__drizzle_migrations (hash, created_at) values ('later', 4102444800000)`;
    await expect(migrate(database.databaseUrl)).rejects.toMatchObject({
      code: 'refused',
      message: /newer schema \(migration of 2100-01-01T00:00:00.000Z\)/,
    });
  });

  it('answers unavailable when nobody listens, without naming the password', async () => {
    const failure = await migrate('postgres://sluice:pl4nted@127.0.0.1:1/sluice').catch((e: unknown) => e as Error);
    expect(failure).toMatchObject({ code: 'unavailable', message: /ECONNREFUSED/ });
    expect(JSON.stringify(failure) + String((failure as Error).stack)).not.toContain('pl4nted');
  });

  it('holds everything that db/schema.ts says: generating again finds no change', async () => {
    const copy = mkdtempSync(join(tmpdir(), 'sluice-migrations-'));
    try {
      cpSync(migrationsFolder(), copy, { recursive: true });
      const out = `./${relative(process.cwd(), copy)}`;
      const args = ['drizzle-kit', 'generate', '--dialect', 'postgresql', '--schema', 'db/*schema.ts', '--out', out];
      const { stdout } = await promisify(execFile)('npx', args, { timeout: 50_000 });
      expect(stdout).toContain('No schema changes');
      expect(readdirSync(copy).sort()).toEqual(readdirSync(migrationsFolder()).sort());
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  });
});
