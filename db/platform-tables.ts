import { getTableName, is } from 'drizzle-orm';
import { PgTable } from 'drizzle-orm/pg-core';
import * as recoveryTables from './recovery-schema.ts';
import * as rolloutTables from './rollout-schema.ts';
import * as registryTables from './schema.ts';

/**
 * Names of the registry's tables in the schema `public`, sorted; partitions belong to theirs. What else lies in the
 * database, of whoever shares it, is none of the platform's.
 */
export function platformTables(): readonly string[] {
  const exported = [registryTables, rolloutTables, recoveryTables].flatMap((module): readonly unknown[] =>
    Object.values(module),
  );
  const names = exported.flatMap((value) => (is(value, PgTable) ? [getTableName(value)] : []));
  return [...new Set(names)].sort();
}
