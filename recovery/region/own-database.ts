import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DATABASE_USER, postgresBase } from '../../infra/embedded/postgres-cluster.ts';

/** Lines of `postmaster.pid`: the server's number first, its port fourth. */
const PORT_LINE = 3;

/** Address of the database that the platform of a home runs; `null`: it does not run. Holds the password. */
export function ownDatabaseUrl(home: string, configured: string | null): string | null {
  if (configured !== null) return configured;
  const file = join(postgresBase(home).base, 'data', 'postmaster.pid');
  const passwordFile = join(home, 'postgres-password');
  if (!existsSync(file) || !existsSync(passwordFile)) return null;
  const port = Number(readFileSync(file, 'utf8').split('\n')[PORT_LINE]);
  if (!Number.isInteger(port) || port <= 0) return null;
  const password = readFileSync(passwordFile, 'utf8').trim();
  return `postgres://${DATABASE_USER}:${encodeURIComponent(password)}@127.0.0.1:${String(port)}/sluice`;
}
