/** A connection that copies tables out and in: the driver has no interface for it. */
import { once } from 'node:events';
import { Client, type Connection } from 'pg';
import { DomainError } from '../../domain/errors.ts';
import { startCopy, type CopyConnection } from '../postgres/replication-connection.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** Rows come as messages of their own: they are joined to pieces worth packing. */
const PIECE_BYTES = 256 * 1024;

export interface CopyClient {
  query<T extends Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<readonly T[]>;
  /** Answer of one `COPY ... TO STDOUT`; `onRows` is told at its end how many rows there were. */
  copyOut(text: string, onRows: (rows: number) => void): AsyncIterable<Buffer>;
  /** One `COPY ... FROM STDIN`. @returns how many rows were taken */
  copyIn(text: string, content: AsyncIterable<Uint8Array>): Promise<number>;
  /** Ends the connection, whatever is under way. Idempotent. */
  close(): Promise<void>;
}

/** What text means in a copy must not depend on settings of the server or the user. */
const SETTINGS = [
  `set client_encoding = 'UTF8'`,
  `set datestyle = 'ISO, YMD'`,
  `set intervalstyle = 'postgres'`,
  `set timezone = 'UTC'`,
  'set extra_float_digits = 1',
  'set statement_timeout = 0',
  'set idle_in_transaction_session_timeout = 0',
  // A policy that hides rows fails the copy instead of thinning it out.
  'set row_security = off',
].join('; ');

/** @throws DomainError `unavailable` with what the server says */
export async function connectCopying(databaseUrl: string, applicationName: string): Promise<CopyClient> {
  const client = new Client({
    connectionString: databaseUrl,
    application_name: applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
  });
  client.on('error', () => undefined);
  await client.connect().catch(fail);
  const connection = client.connection as CopyConnection;
  await client.query(SETTINGS).catch(fail);
  return {
    query: async <T extends Record<string, unknown>>(text: string, values?: readonly unknown[]) => {
      const found = await client.query<T>(text, values as unknown[] | undefined).catch(fail);
      return found.rows;
    },
    copyOut: (text, onRows) => copyOut(client, connection, text, onRows),
    copyIn: (text, content) => copyIn(client, connection, text, content),
    close: async () => {
      connection.stream.destroy();
      await client.end().catch(() => undefined);
    },
  };
}

async function* copyOut(
  client: Client,
  connection: CopyConnection,
  text: string,
  onRows: (rows: number) => void,
): AsyncGenerator<Buffer> {
  const copy = startCopy(client, connection, text);
  let pieces: Buffer[] = [];
  let bytes = 0;
  for (let message = await copy.take(); message !== null; message = await copy.take()) {
    pieces.push(message);
    bytes += message.byteLength;
    if (bytes < PIECE_BYTES) continue;
    yield Buffer.concat(pieces);
    pieces = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(pieces);
  onRows(rowsOf(copy.tag));
}

async function copyIn(
  client: Client,
  connection: CopyConnection,
  text: string,
  content: AsyncIterable<Uint8Array>,
): Promise<number> {
  const ended: { tag: string; error: Error | null } = { tag: '', error: null };
  const [ready, done] = [signalled(), signalled()];
  const finish = (): void => {
    ready.give();
    done.give();
  };
  const onEnd = (): void => {
    ended.error ??= new Error('it ended the connection');
    finish();
  };
  connection.once('end', onEnd);
  client.query({
    submit: (on: Connection) => on.query(text),
    handleCopyInResponse: () => ready.give(),
    handleCommandComplete: (message: { text: string }) => (ended.tag = message.text),
    handleReadyForQuery: finish,
    handleError: (error: Error) => {
      ended.error = error;
      finish();
    },
  } as unknown as { submit: (on: Connection) => void });
  await ready.given;
  try {
    for await (const chunk of content) {
      if (ended.error !== null) break;
      connection.sendCopyFromChunk(chunk);
      if (connection.stream.writableNeedDrain) await Promise.race([once(connection.stream, 'drain'), done.given]);
    }
  } catch (error) {
    // What was sent of a file that cannot be read is taken back.
    connection.stream.destroy();
    throw error;
  }
  if (ended.error === null) connection.endCopyFrom();
  await done.given;
  connection.removeListener('end', onEnd);
  if (ended.error !== null) fail(ended.error);
  return rowsOf(ended.tag);
}

function signalled(): { readonly given: Promise<undefined>; readonly give: () => void } {
  let give = (): void => undefined;
  const given = new Promise<undefined>((resolve) => {
    give = () => resolve(undefined);
  });
  return { given, give: () => give() };
}

function rowsOf(tag: string): number {
  const rows = /^COPY (\d+)$/.exec(tag)?.[1];
  if (rows === undefined)
    throw new DomainError('unavailable', 'The database ended a copy without saying how long it was');
  return Number(rows);
}

function fail(error: unknown): never {
  if (error instanceof DomainError) throw error;
  const { code, message } = error as { code?: string; message?: string };
  const text = `The database says: ${message ?? String(error)}`;
  throw Object.assign(new DomainError('unavailable', text), code === undefined ? {} : { sqlState: code });
}
