import { inject } from 'vitest';
import { migrate } from '../../../db/migrate.ts';
import { createTestDatabase } from '../../setup/database.ts';
import { insertServedModel } from '../../support/insert-served-model.ts';
import { query } from '../../support/query.ts';

export interface LostRegions {
  readonly databaseUrl: (name: string) => string;
  readonly drop: () => Promise<void>;
}

/** Databases of regions that will be lost, one for each name, with a model that can be written to. */
export async function createLostRegions(names: readonly string[]): Promise<LostRegions> {
  const template = await createTestDatabase();
  await migrate(template.databaseUrl);
  await insertServedModel(template.databaseUrl, 'tiny');
  const databaseUrl = (name: string): string => {
    const url = new URL(template.databaseUrl);
    url.pathname += `_${name.toLowerCase()}`;
    return url.href;
  };
  const databaseOf = (name: string): string => new URL(databaseUrl(name)).pathname.slice(1);
  const onServer = (text: string) => query(inject('DATABASE_URL'), text);
  const { pathname } = new URL(template.databaseUrl);
  for (const name of names) await onServer(`create database ${databaseOf(name)} template ${pathname.slice(1)}`);
  return {
    databaseUrl,
    drop: async () => {
      for (const name of names) await onServer(`drop database if exists ${databaseOf(name)} with (force)`);
      await template.drop();
    },
  };
}
