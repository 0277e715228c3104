/**
 * Runs once before API and worker of a containerised platform: migrates the registry, registers the search attributes
 * with Temporal, and makes the first API key (in `<home>/first-key`). Every part may run again.
 */
import { readConfig } from '../../adapters/config.ts';
import { createLogger } from '../../adapters/logger.ts';
import { connectTemporal } from '../../adapters/temporal-client.ts';
import { createRegistry } from '../../db/create-registry.ts';
import { migrate } from '../../db/migrate.ts';
import { DomainError } from '../../domain/errors.ts';
import { ensureSearchAttributes } from '../embedded/search-attributes.ts';
import { provideFirstKey } from '../platform/first-key.ts';

const config = readConfig();
const log = createLogger({ level: config.logLevel, name: 'prepare' });

async function prepareRegistry(databaseUrl: string): Promise<void> {
  await migrate(databaseUrl);
  const database = createRegistry(databaseUrl, { applicationName: 'sluice-prepare' });
  try {
    const { file, isNew } = await provideFirstKey(config.home, database.registry.keys);
    log.info({ file, isNew }, 'registry migrated; the first key is in its file');
  } finally {
    await database.close();
  }
}

async function prepareTemporal(): Promise<void> {
  const temporal = connectTemporal(config);
  try {
    const added = await temporal.call(() => ensureSearchAttributes(temporal.connection, config.temporalNamespace));
    log.info({ added }, 'search attributes registered');
  } finally {
    await temporal.close();
  }
}

try {
  if (config.databaseUrl === null) {
    const problems = [{ field: 'DATABASE_URL', message: 'expected postgres://user:password@host:port/database' }];
    throw new DomainError('invalidInput', 'No database is configured', problems);
  }
  await prepareRegistry(config.databaseUrl);
  await prepareTemporal();
} catch (error) {
  log.fatal({ err: error }, 'the platform cannot be prepared');
  process.exitCode = 1;
}
