import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
import { DomainError } from '../domain/errors.ts';
import { toDomainError } from './failures.ts';
import type * as schema from './schema.ts';

/** Per process. A worker and one API process per core stay far below a small server's 100 connections. */
const POOL_CONNECTIONS_MAX = 8;
const CONNECT_TIMEOUT_SECONDS = 5;
/** The server gives up on a statement after this long: no query of the registry needs more than a second. */
const STATEMENT_TIMEOUT_MS = 15_000;
/** A transaction whose process hangs must not hold its locks for longer. */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 20_000;
/** Longer than the server's own limit: it decides alone when no answer comes at all (a silent network). */
const OPERATION_TIMEOUT_MS = 20_000;
const IDLE_TIMEOUT_SECONDS = 60;
/** Bounds how long after an outage the first query still waits; the driver's own bound is 20 s. */
const RECONNECT_DELAY_SECONDS_MAX = 1;

export interface ConnectOptions {
  /** Seen in `pg_stat_activity`. Default `sluice`. */
  readonly applicationName?: string;
  readonly poolConnectionsMax?: number;
  readonly connectTimeoutSeconds?: number;
  /** 0: none. */
  readonly statementTimeoutMs?: number;
  readonly operationTimeoutMs?: number;
}

export type Drizzle = PostgresJsDatabase<typeof schema>;
/** The statements of one transaction. */
export type Transaction = Parameters<Parameters<Drizzle['transaction']>[0]>[0];

export interface Database {
  readonly sql: postgres.Sql;
  /**
   * Runs statements: at most `operationTimeoutMs`, and every failure as a `DomainError`. After `unavailable` the
   * outcome is not known, so that writers carry an id that makes a second try safe.
   */
  run<T>(work: (db: Drizzle) => Promise<T>): Promise<T>;
  /** The same in one transaction. */
  transact<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
}

/** Opens a pool; nothing connects before the first query. */
export function connect(databaseUrl: string, options: ConnectOptions = {}): postgres.Sql {
  return postgres(databaseUrl, {
    max: options.poolConnectionsMax ?? POOL_CONNECTIONS_MAX,
    connect_timeout: options.connectTimeoutSeconds ?? CONNECT_TIMEOUT_SECONDS,
    idle_timeout: IDLE_TIMEOUT_SECONDS,
    backoff: (retries: number) => Math.min(0.1 * 2 ** Math.min(retries, 10), RECONNECT_DELAY_SECONDS_MAX),
    connection: {
      application_name: options.applicationName ?? 'sluice',
      statement_timeout: options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
      TimeZone: 'UTC',
    },
    // The driver prints notices ("relation exists, skipping") to the console otherwise.
    onnotice: () => undefined,
  });
}

/** The guarded door to a pool that the stores share. */
export function createDatabase(sql: postgres.Sql, operationTimeoutMs = OPERATION_TIMEOUT_MS): Database {
  const db: Drizzle = drizzle(sql);
  async function run<T>(work: (db: Drizzle) => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const expired = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new DomainError('unavailable', `The registry's database gave no answer in ${operationTimeoutMs} ms`));
      }, operationTimeoutMs);
    });
    try {
      return await Promise.race([work(db), expired]);
    } catch (error) {
      throw toDomainError(error);
    } finally {
      clearTimeout(timer);
    }
  }
  return { sql, run, transact: (work) => run((d) => d.transaction(work)) };
}
