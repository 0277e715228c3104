import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import { Pool, type PoolClient } from 'pg';
import { DomainError } from '../domain/errors.ts';
import { isAnswer, toDomainError } from './failures.ts';
import { createListener } from './listener.ts';

/** Per process. A worker and one API process per core stay far below a small server's 100 connections. */
const POOL_CONNECTIONS_MAX = 8;
/** Bounds the connecting, and the waiting for a free connection of the pool. */
const CONNECT_TIMEOUT_MS = 5_000;
/** The server gives up on a statement after this long: no query of the registry needs more than a second. */
const STATEMENT_TIMEOUT_MS = 15_000;
/** A transaction whose process hangs must not hold its locks for longer. */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 20_000;
/** Longer than the server's own limit: it decides alone when no answer comes at all (a silent network). */
const OPERATION_TIMEOUT_MS = 20_000;
const IDLE_TIMEOUT_MS = 60_000;
/** How long `close` waits for statements under way. */
const CLOSE_TIMEOUT_MS = 5_000;

export interface ConnectOptions {
  /** Seen in `pg_stat_activity`. Default `sluice`. */
  readonly applicationName?: string;
  readonly poolConnectionsMax?: number;
  readonly connectTimeoutMs?: number;
  readonly statementTimeoutMs?: number;
  readonly operationTimeoutMs?: number;
}

/** The statements of one connection, or of one transaction. */
export type Drizzle = NodePgDatabase;

export interface Database {
  /**
   * Runs statements on one connection: at most `operationTimeoutMs`, and every failure as a `DomainError`. After
   * `unavailable` the outcome is not known, so that writers carry an id that makes a second try safe.
   */
  run<T>(work: (db: Drizzle) => Promise<T>): Promise<T>;
  /** The same in one transaction. */
  transact<T>(work: (tx: Drizzle) => Promise<T>): Promise<T>;
  /**
   * Calls back on every notification of the channel, and whenever it has begun to listen (again), as some may have
   * been missed before. Returns once the first try to listen has succeeded or failed; goes on trying by itself.
   */
  listen(channel: string, callback: () => void): Promise<() => Promise<void>>;
  /** Statements under way get 5 s. Idempotent. */
  close(): Promise<void>;
}

/** Connects at the first use. */
export function createDatabase(databaseUrl: string, options: ConnectOptions = {}): Database {
  const operationTimeoutMs = options.operationTimeoutMs ?? OPERATION_TIMEOUT_MS;
  const settings = {
    connectionString: databaseUrl,
    application_name: options.applicationName ?? 'sluice',
    connectionTimeoutMillis: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    statement_timeout: options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    keepAlive: true,
  };
  const pool = new Pool({
    ...settings,
    max: options.poolConnectionsMax ?? POOL_CONNECTIONS_MAX,
    idleTimeoutMillis: IDLE_TIMEOUT_MS,
  });
  // A lost connection is reported to whoever uses it; without these listeners it would end the process.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  const stops = new Set<() => Promise<void>>();
  let closed: Promise<void> | null = null;

  return {
    run: (work) => lease(pool, operationTimeoutMs, (client) => work(drizzle(client))),
    transact: (work) => lease(pool, operationTimeoutMs, (client) => inTransaction(client, work)),
    listen: async (channel, callback) => {
      const stop = await createListener(settings, channel, callback);
      stops.add(stop);
      return async () => {
        stops.delete(stop);
        await stop();
      };
    },
    close: () => {
      closed ??= Promise.all([endPool(pool), ...[...stops].map((stop) => stop())]).then(() => undefined);
      return closed;
    },
  };
}

/** Takes a connection for the time of `work`. Only one whose server has answered everything goes back into the pool. */
async function lease<T>(pool: Pool, timeoutMs: number, work: (client: PoolClient) => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let client: PoolClient | undefined;
  let reusable = false;
  try {
    client = await pool.connect();
    const expired = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new NoAnswer(timeoutMs)), timeoutMs);
    });
    const result = await Promise.race([work(client), expired]);
    reusable = true;
    return result;
  } catch (error) {
    reusable = isAnswer(error);
    if (error instanceof NoAnswer || error instanceof RollbackFailed)
      throw new DomainError('unavailable', error.message);
    throw toDomainError(error);
  } finally {
    clearTimeout(timer);
    // Not reusable: the connection is cut, so that nothing of this work runs later, outside its transaction.
    client?.release(!reusable);
  }
}

async function inTransaction<T>(client: PoolClient, work: (tx: Drizzle) => Promise<T>): Promise<T> {
  await client.query('begin');
  try {
    const result = await work(drizzle(client));
    const { command } = await client.query('commit');
    // The server answers a commit of a failed transaction with a rollback, not with an error.
    if (command !== 'COMMIT') throw new DomainError('internal', 'A transaction was rolled back at its commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => {
      throw isAnswer(error) ? new RollbackFailed() : error;
    });
    throw error;
  }
}

class NoAnswer extends Error {
  constructor(timeoutMs: number) {
    super(`The registry's database gave no answer in ${timeoutMs} ms`);
  }
}

class RollbackFailed extends Error {
  constructor() {
    super(`The registry's database was lost while a transaction was taken back`);
  }
}

async function endPool(pool: Pool): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CLOSE_TIMEOUT_MS);
  });
  await Promise.race([pool.end(), expired]);
  clearTimeout(timer);
}
