import { platformTables } from '../../db/platform-tables.ts';
import { DomainError } from '../../domain/errors.ts';
import type { PostgresFacts } from '../../domain/recovery/manifest.ts';
import { once } from '../vault/file-content.ts';
import type { SetSink } from '../vault/set-sink.ts';
import { connectCopying, type CopyClient } from './copy-client.ts';
import { LOGICAL_INDEX, LOGICAL_PREFIX, type LogicalIndex } from './logical-index.ts';

export interface LogicalCopy {
  /** ISO 8601: the moment of the snapshot. */
  readonly snapshotAt: string;
  readonly schemaVersion: string;
  readonly postgres: PostgresFacts;
  readonly rowCounts: Readonly<Record<string, number>>;
}

/** A server that does not say which one it is, as some managed ones: its sets are told apart by target alone. */
const UNKNOWN_SYSTEM = '0';
const DAY_MS = 86_400_000;

/**
 * Copies the rows of the platform's tables as one snapshot saw them, by an ordinary connection: for servers that allow
 * no replication. Tables come in a stable order, each as one file in the text form of COPY. Memory: the stream's.
 * @throws DomainError `unavailable`; `conflict` when the schema was changed meanwhile, so that a second try does better
 */
export async function stageLogical(databaseUrl: string, sink: SetSink): Promise<LogicalCopy> {
  const client = await connectCopying(databaseUrl, 'sluice-logical-copy');
  const stop = (): void => void client.close();
  sink.signal.addEventListener('abort', stop);
  try {
    sink.signal.throwIfAborted();
    const systemIdentifier = await readSystemIdentifier(client);
    await client.query('begin isolation level repeatable read, read only');
    const server = await describeServer(client);
    const index = await copyTables(client, sink, server);
    await client.query('commit');
    // A table that was made anew meanwhile is empty in an older snapshot, and nothing says so.
    if ((await readSchemaVersion(client)) !== server.schemaVersion)
      throw new DomainError('unavailable', 'The schema was changed while it was copied: it is copied again');
    await sink.add(LOGICAL_INDEX, once(Buffer.from(JSON.stringify(index, null, 1))));
    const { major, timeline, lsn, schemaVersion, snapshotAt } = server;
    return {
      snapshotAt,
      schemaVersion,
      postgres: { major, systemIdentifier, timeline, startLsn: lsn, endLsn: lsn },
      rowCounts: Object.fromEntries(index.tables.map(({ table, rows }) => [`public.${table}`, rows])),
    };
  } catch (error) {
    sink.signal.throwIfAborted();
    throw error;
  } finally {
    sink.signal.removeEventListener('abort', stop);
    await client.close();
  }
}

interface ServerFacts {
  readonly major: number;
  readonly timeline: number;
  readonly lsn: string;
  readonly snapshotAt: string;
  readonly schemaVersion: string;
}

/** The first statement takes the snapshot. */
async function describeServer(client: CopyClient): Promise<ServerFacts> {
  const [row] = await client.query<{ major: number; file: string; lsn: string; at: Date }>(`
    select current_setting('server_version_num')::int / 10000 as major, pg_walfile_name(lsn) as file, lsn::text,
      clock_timestamp() as at
    from pg_current_wal_lsn() lsn`);
  if (row === undefined) throw new DomainError('unavailable', 'The database does not describe itself');
  const { major, file, lsn, at } = row;
  return {
    major,
    timeline: Number.parseInt(file.slice(0, 8), 16),
    lsn,
    snapshotAt: new Date(at).toISOString(),
    schemaVersion: await readSchemaVersion(client),
  };
}

/** Newest migration that the database has, as manifests name it. */
async function readSchemaVersion(client: CopyClient): Promise<string> {
  const [row] = await client.query<{ hash: string; at: string }>(
    'select hash, created_at::text as at from drizzle.__drizzle_migrations order by id desc limit 1',
  );
  if (row === undefined) throw new DomainError('refused', 'The database has no schema of this platform to copy');
  return `${row.at}-${row.hash.slice(0, 12)}`;
}

async function readSystemIdentifier(client: CopyClient): Promise<string> {
  return client.query<{ id: string }>('select system_identifier::text as id from pg_control_system()').then(
    ([row]) => row?.id ?? UNKNOWN_SYSTEM,
    () => UNKNOWN_SYSTEM,
  );
}

async function copyTables(client: CopyClient, sink: SetSink, server: ServerFacts): Promise<LogicalIndex> {
  const tables: LogicalIndex['tables'] = [];
  for (const { table, columns } of await findTables(client)) {
    sink.signal.throwIfAborted();
    const file = `${LOGICAL_PREFIX}public.${table}.copy`;
    const list = columns.map((column) => `"${column}"`).join(', ');
    let rows = 0;
    // A query, as a partitioned table cannot be copied by its name.
    const text = `copy (select ${list} from public."${table}") to stdout`;
    await sink.add(
      file,
      client.copyOut(text, (found) => (rows = found)),
    );
    tables.push({ table, columns: [...columns], rows, file });
  }
  return {
    schemaVersion: server.schemaVersion,
    snapshotAt: server.snapshotAt,
    tables,
    sequences: await readSequences(client),
    predictionDays: await readPredictionDays(client),
  };
}

/** By name; the partitioned ones, which are the large ones, last. Columns that the server computes are left out. */
async function findTables(client: CopyClient) {
  return client.query<{ table: string; columns: readonly string[] }>(
    `select c.relname as "table", array_agg(a.attname::text order by a.attnum) as columns
     from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
     where n.nspname = 'public' and c.relkind in ('r', 'p') and c.relname = any($1)
       and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
     group by c.oid, c.relname, c.relkind order by c.relkind = 'p', c.relname`,
    [platformTables()],
  );
}

/** Sequences know no snapshot: read after the rows, they are never behind them. */
async function readSequences(client: CopyClient): Promise<LogicalIndex['sequences']> {
  const rows = await client.query<{ sequence: string; last: string | null }>(
    `select s.relname as sequence, pg_sequence_last_value(s.oid)::text as last
     from pg_class s join pg_depend d on d.objid = s.oid and d.deptype in ('a', 'i')
     join pg_class t on t.oid = d.refobjid join pg_namespace n on n.oid = s.relnamespace
     where s.relkind = 'S' and n.nspname = 'public' and t.relname = any($1) order by 1`,
    [platformTables()],
  );
  // One that never gave a number starts by itself.
  return rows.flatMap(({ sequence, last }) => (last === null ? [] : [{ sequence, last }]));
}

async function readPredictionDays(client: CopyClient): Promise<LogicalIndex['predictionDays']> {
  const rows = await client.query<{ day: string }>(
    `select substring(c.relname from '_(\\d{8})$') as day from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = to_regclass('public.predictions') and c.relname ~ '^predictions_\\d{8}$' order by 1`,
  );
  const msOf = (day: string): number => Date.UTC(+day.slice(0, 4), +day.slice(4, 6) - 1, +day.slice(6, 8));
  const [first, last] = [rows[0]?.day, rows.at(-1)?.day];
  if (first === undefined || last === undefined) return null;
  const [firstMs, lastMs] = [msOf(first), msOf(last)];
  return lastMs - firstMs <= 366 * DAY_MS ? { firstMs, lastMs } : { firstMs: lastMs - 366 * DAY_MS, lastMs };
}
