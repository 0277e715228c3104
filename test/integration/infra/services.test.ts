import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import postgres from 'postgres';
import { describe, expect, inject, it } from 'vitest';
import { ensureSearchAttributes, SEARCH_ATTRIBUTE_TYPES } from '../../../infra/embedded/search-attributes.ts';
import { createTestDatabase } from '../../setup/database.ts';

describe('the embedded services', () => {
  it('give a PostgreSQL in UTF-8 with durable writes, on loopback alone', async () => {
    const database = await createTestDatabase();
    const sql = postgres(database.databaseUrl, { max: 1 });
    try {
      const [row] = await sql`select current_setting('server_encoding') encoding, current_setting('fsync') fsync,
        current_setting('listen_addresses') addresses, lower('ÄÉ') lowered,
        (select datlocprovider from pg_database where datname = current_database()) provider`;
      expect(row).toEqual({ encoding: 'UTF8', fsync: 'on', addresses: '127.0.0.1', lowered: 'äé', provider: 'b' });
    } finally {
      await sql.end();
      await database.drop();
    }
  });

  it('refuse a connection without the password', async () => {
    const url = new URL(inject('DATABASE_URL'));
    url.password = 'wrong';
    const sql = postgres(url.href, { max: 1 });
    await expect(sql`select 1`).rejects.toThrow(/password authentication failed/);
    await sql.end();
  });

  it('know the search attributes of the workflows', async () => {
    const connection = await Connection.connect({ address: inject('TEMPORAL_ADDRESS') });
    try {
      expect(await ensureSearchAttributes(connection, 'default')).toEqual([]);
      const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: 'default' });
      expect(Object.keys(customAttributes)).toEqual(expect.arrayContaining(Object.keys(SEARCH_ATTRIBUTE_TYPES)));
    } finally {
      await connection.close();
    }
  });

  it('give a Temporal namespace that lacks them the search attributes', async () => {
    const connection = await Connection.connect({ address: inject('TEMPORAL_ADDRESS') });
    const namespace = 'without-attributes';
    try {
      await connection.workflowService.registerNamespace({
        namespace,
        workflowExecutionRetentionPeriod: msToTs('1 day'),
      });
      // The server's own view of its namespaces follows a moment later.
      await expect
        .poll(() => ensureSearchAttributes(connection, namespace).catch(() => null), { timeout: 30_000 })
        .not.toBeNull();
      const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
      expect(customAttributes).toMatchObject({ SluiceModel: 2, SluiceVersion: 3, SluiceStrategy: 2, SluicePhase: 2 });
      expect(await ensureSearchAttributes(connection, namespace)).toEqual([]);
    } finally {
      await connection.close();
    }
  });
});
