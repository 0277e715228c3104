import { Client, type Connection } from 'pg';
import { DomainError } from '../../domain/errors.ts';
import { createByteQueue, type ByteQueue } from './byte-queue.ts';

const CONNECT_TIMEOUT_MS = 10_000;

export type Row = Readonly<Record<string, string | null>>;

/** The driver's connection, with the two members of the copy protocol that its types leave out. */
export interface CopyConnection extends Connection {
  sendCopyFromChunk(chunk: Uint8Array): void;
  endCopyFrom(): void;
}

export interface CopyStream {
  /** Messages of the copy, in order; `null` at its end. @throws the server's error */
  take(): Promise<Buffer | null>;
  /** Sends a message to the server, where the copy goes both ways. */
  send(message: Uint8Array): void;
  /** Result sets around the copy: those before it as soon as the first message came, all of them at the end. */
  readonly results: readonly (readonly Row[])[];
  /** What the server said at the end of the last command, for example `COPY 7`; empty before. */
  readonly tag: string;
}

export interface ReplicationConnection {
  /** Runs a command of the replication protocol or one plain statement. */
  command(text: string): Promise<readonly Row[]>;
  /** Runs a command that answers with a copy; one at a time. */
  copy(text: string): CopyStream;
  /** Ends the connection, whatever is under way. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens a connection that speaks the replication protocol. `database`: statements are understood as well.
 * @throws DomainError `refused` when the server allows no replication to this user, `unavailable` when it does not answer
 */
export async function connectReplication(databaseUrl: string, applicationName: string): Promise<ReplicationConnection> {
  const settings = {
    connectionString: databaseUrl,
    application_name: applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    replication: 'database',
  };
  const client = new Client(settings);
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    throw explain(error);
  }
  const connection = client.connection as CopyConnection;
  return {
    command: async (text) => {
      const found = await client.query<Record<string, string | null>>(text);
      return found.rows.map((row) => Object.fromEntries(Object.entries(row).map(([k, v]) => [k, asText(v)])));
    },
    copy: (text) => startCopy(client, connection, text),
    close: async () => {
      // A copy under way would keep an orderly goodbye waiting.
      connection.stream.destroy();
      await client.end().catch(() => undefined);
    },
  };
}

function asText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.toISOString();
  if (Buffer.isBuffer(value)) return value.toString('utf8');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A query object of the driver, which calls these members as messages arrive. */
export function startCopy(client: Client, connection: CopyConnection, text: string): CopyStream {
  const queue: ByteQueue<Buffer> = createByteQueue<Buffer>(connection.stream);
  const results: Row[][] = [];
  let names: string[] = [];
  let tag = '';
  const onEnd = (): void => queue.end(new DomainError('unavailable', 'The database ended the connection'));
  connection.once('end', onEnd);
  client.query({
    submit: (on: Connection) => {
      on.query(text);
    },
    handleRowDescription: (message: { fields: readonly { name: string }[] }) => {
      names = message.fields.map((f) => f.name);
      results.push([]);
    },
    handleDataRow: (message: { fields: readonly (string | null)[] }) => {
      results.at(-1)?.push(Object.fromEntries(names.map((name, i) => [name, message.fields[i] ?? null])));
    },
    // The driver uses its buffer again: what is kept is a copy.
    handleCopyData: ({ chunk }: { chunk: Buffer }) => queue.push(Buffer.from(chunk), chunk.byteLength),
    handleCommandComplete: (message: { text?: string }) => (tag = message.text ?? ''),
    handleReadyForQuery: () => {
      connection.removeListener('end', onEnd);
      queue.end();
    },
    handleError: (error: Error) => queue.end(explain(error)),
  } as unknown as { submit: (on: Connection) => void });
  return {
    take: () => queue.take(),
    send: (message) => connection.sendCopyFromChunk(message),
    results,
    get tag() {
      return tag;
    },
  };
}

function explain(error: unknown): Error {
  if (error instanceof DomainError) return error;
  const { code, message } = error as { code?: string; message?: string };
  const what = message ?? String(error);
  if (code !== undefined && allowsNoReplication(code, what)) {
    return new DomainError('refused', `The database allows this user no replication: ${what}`, [
      {
        field: 'DATABASE_URL',
        message: 'needs a user with REPLICATION on a server that allows it; without, copies are logical',
      },
    ]);
  }
  if (code !== undefined && /^[0-9A-Z]{5}$/.test(code)) {
    return Object.assign(new DomainError('unavailable', `The database says: ${what}`), { sqlState: code });
  }
  return new DomainError('unavailable', `The database cannot be reached: ${what}`);
}

/**
 * 28: authorisation, 42501: privilege. The others are states that only an administrator changes: no senders at all
 * (53300 is also the answer while all are taken), a log too short for a backup, a pooler that knows no replication.
 */
function allowsNoReplication(code: string, message: string): boolean {
  if (/^(28...|42501)$/.test(code)) return true;
  if (code === '53300') return /max_wal_senders.*currently 0\)/.test(message);
  if (code === '55000') return /WAL level/i.test(message);
  return code === '08P01' && /replication/.test(message);
}
