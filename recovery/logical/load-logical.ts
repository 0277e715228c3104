import { createDatabase } from '../../db/connect.ts';
import { migrate } from '../../db/migrate.ts';
import { ensurePartitions } from '../../db/partitions.ts';
import { DomainError } from '../../domain/errors.ts';
import { collect } from '../vault/file-content.ts';
import type { SetSource } from '../vault/set-sink.ts';
import { connectCopying, type CopyClient } from './copy-client.ts';
import { LOGICAL_INDEX, LOGICAL_INDEX_BYTES_MAX, readLogicalIndex, type LogicalIndex } from './logical-index.ts';

const DAY_MS = 86_400_000;

export interface LoadOptions {
  /** Of an empty database, whose owner is a superuser of the server. */
  readonly databaseUrl: string;
  readonly source: SetSource;
  readonly onBytes?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Makes the schema that the set was taken from, and fills it with the set's rows, all in one transaction. Counts what
 * came in against what was copied.
 * @throws DomainError `refused` (a schema that this release does not know), `artefactCorrupt`, `unavailable`
 */
export async function loadLogical(options: LoadOptions): Promise<LogicalIndex> {
  const { databaseUrl, source } = options;
  const index = readLogicalIndex(
    await collect(await source.open(LOGICAL_INDEX), LOGICAL_INDEX_BYTES_MAX, LOGICAL_INDEX),
  );
  await makeSchema(databaseUrl, index);
  const client = await connectCopying(databaseUrl, 'sluice-logical-load');
  const stop = (): void => void client.close();
  options.signal?.addEventListener('abort', stop);
  try {
    options.signal?.throwIfAborted();
    await client.query('begin');
    // Rows are taken as they were: neither triggers nor references ask again.
    await client.query('set local session_replication_role = replica');
    await fillTables(client, index, options);
    for (const { sequence, last } of index.sequences)
      await client.query(`select setval($1::text::regclass, $2::bigint)`, [`public."${sequence}"`, last]);
    await client.query('commit');
    await client.query('analyze');
  } catch (error) {
    options.signal?.throwIfAborted();
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', stop);
    await client.close();
  }
  return index;
}

async function makeSchema(databaseUrl: string, { schemaVersion, predictionDays }: LogicalIndex): Promise<void> {
  const [when = '', hash = ''] = schemaVersion.split('-');
  await migrate(databaseUrl, { until: Number(when) });
  const client = await connectCopying(databaseUrl, 'sluice-logical-load');
  try {
    const [row] = await client.query<{ hash: string }>(
      'select hash from drizzle.__drizzle_migrations order by id desc limit 1',
    );
    if (row?.hash.startsWith(hash) !== true) {
      throw new DomainError('refused', 'The set was written by a release whose migrations were other ones', [
        {
          field: 'schemaVersion',
          message: `the set has ${schemaVersion}, this release ${row?.hash.slice(0, 12) ?? 'none'}`,
        },
      ]);
    }
  } finally {
    await client.close();
  }
  if (predictionDays === null) return;
  const database = createDatabase(databaseUrl, { applicationName: 'sluice-logical-load', poolConnectionsMax: 1 });
  try {
    const { firstMs, lastMs } = predictionDays;
    // It begins with the day before the one it is told.
    await ensurePartitions(database, Math.round((lastMs - firstMs) / DAY_MS) - 1, firstMs + DAY_MS);
  } finally {
    await database.close();
  }
}

async function fillTables(client: CopyClient, { tables }: LogicalIndex, options: LoadOptions): Promise<void> {
  if (tables.length === 0) return;
  // Migrations write rows of their own, which the set has as well.
  await client.query(`truncate ${tables.map(({ table }) => `public."${table}"`).join(', ')} cascade`);
  for (const { table, columns, rows, file } of tables) {
    options.signal?.throwIfAborted();
    const list = columns.map((column) => `"${column}"`).join(', ');
    const content = await options.source.open(file);
    const taken = await client.copyIn(`copy public."${table}" (${list}) from stdin`, noted(content, options.onBytes));
    if (taken === rows) continue;
    throw new DomainError('artefactCorrupt', `${file} brought ${taken} rows into ${table}, and ${rows} were copied`);
  }
}

async function* noted(
  content: AsyncIterable<Uint8Array>,
  onBytes: ((bytes: number) => void) | undefined,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of content) {
    onBytes?.(chunk.byteLength);
    yield chunk;
  }
}
