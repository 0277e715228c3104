import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { inject } from 'vitest';

export interface TestDatabase {
  /** Address of an empty database of its own. */
  readonly databaseUrl: string;
  /** Drops it, cutting off whoever is connected. */
  drop(): Promise<void>;
}

/** Makes a fresh, empty database in the server that test/setup/services.ts started. Integration project only. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const server = inject('DATABASE_URL');
  const name = `test_${randomBytes(6).toString('hex')}`;
  await execute(server, `create database ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { databaseUrl: url.href, drop: () => execute(server, `drop database if exists ${name} with (force)`) };
}

async function execute(databaseUrl: string, statement: string): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => undefined });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}
