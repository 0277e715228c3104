import { DomainError } from '../../domain/errors.ts';
import { drain } from './drain.ts';
import { parseLsn, type Lsn } from './lsn.ts';
import { connectReplication, type CopyStream } from './replication-connection.ts';

/** Bytes over which a message's text of a name is not believed any more. */
const NAME_BYTES_MAX = 4_096;

export interface BaseBackupOptions {
  readonly databaseUrl: string;
  readonly label: string;
  /** Upper bound of the server's sending, kB per second (32 to 1048576); `null`: as fast as the reader reads. */
  readonly rateMaxKb?: number | null;
  /** Bytes that the server has read so far, and how many it expects. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
}

/** One file of a base backup: `base.tar`, `<oid>.tar` of a tablespace, `backup_manifest`. */
export interface BackupFile {
  readonly name: string;
  readonly stream: AsyncIterable<Buffer>;
}

export interface BaseBackup {
  readonly systemId: string;
  /** Of the write-ahead log at the end of the backup. */
  readonly timeline: number;
  /** Where a recovery begins to read the log, and from where on the data is consistent. */
  readonly startLsn: Lsn;
  readonly stopLsn: Lsn;
  readonly tablespaces: readonly { readonly oid: string; readonly location: string }[];
}

/**
 * Takes a physical base backup of any server that allows replication, by its own protocol and without a folder that
 * both sides see. `store` is called once per file, in order, and reads its stream to the end. The log that makes the
 * data consistent is in `base.tar`, and `backup_manifest` holds the SHA-256 of every file. Memory: the queue's 4 MB.
 * @throws DomainError `refused` (no replication), `unavailable`; what `store` throws
 */
export async function takeBaseBackup(
  options: BaseBackupOptions,
  store: (file: BackupFile) => Promise<void>,
): Promise<BaseBackup> {
  const connection = await connectReplication(options.databaseUrl, 'sluice-base-backup');
  const stop = (): void => void connection.close();
  options.signal?.addEventListener('abort', stop);
  try {
    options.signal?.throwIfAborted();
    const [system] = await connection.command('IDENTIFY_SYSTEM');
    const copy = connection.copy(commandText(options));
    await storeFiles(copy, store, options.onProgress ?? (() => undefined));
    return describe(system?.['systemid'] ?? '', copy.results);
  } catch (error) {
    options.signal?.throwIfAborted();
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', stop);
    await connection.close();
  }
}

function commandText({ label, rateMaxKb }: BaseBackupOptions): string {
  const options = [
    `LABEL '${label.replaceAll("'", "''")}'`,
    'PROGRESS true',
    // Waiting for the next regular checkpoint would take minutes.
    `CHECKPOINT 'fast'`,
    'WAL true',
    `MANIFEST 'yes'`,
    `MANIFEST_CHECKSUMS 'SHA256'`,
    ...(rateMaxKb == null ? [] : [`MAX_RATE ${String(Math.round(rateMaxKb))}`]),
  ];
  return `BASE_BACKUP (${options.join(', ')})`;
}

type Message =
  | { readonly kind: 'file'; readonly name: string }
  | { readonly kind: 'data'; readonly bytes: Buffer }
  | { readonly kind: 'progress'; readonly doneBytes: number };

/** The messages inside CopyData (PostgreSQL 15 and later): n new archive, m manifest, d data, p progress. */
function parseMessage(message: Buffer): Message {
  switch (String.fromCharCode(message[0] ?? 0)) {
    case 'n':
      return { kind: 'file', name: message.toString('utf8', 1, Math.min(message.indexOf(0, 1), NAME_BYTES_MAX)) };
    case 'm':
      return { kind: 'file', name: 'backup_manifest' };
    case 'd':
      return { kind: 'data', bytes: message.subarray(1) };
    case 'p':
      return { kind: 'progress', doneBytes: Number(message.readBigInt64BE(1)) };
    default:
      throw new DomainError('unavailable', 'The database sent a base backup in a form that is not known');
  }
}

async function storeFiles(
  copy: CopyStream,
  store: (file: BackupFile) => Promise<void>,
  onProgress: (doneBytes: number, totalBytes: number) => void,
): Promise<void> {
  const at: { next: string | null } = { next: null };
  const take = async (): Promise<Message | null> => {
    const bytes = await copy.take();
    return bytes === null ? null : parseMessage(bytes);
  };
  const progress = (doneBytes: number): void => onProgress(doneBytes, expectedBytes(copy.results));
  async function* content(): AsyncGenerator<Buffer> {
    for (let message = await take(); message !== null; message = await take()) {
      if (message.kind === 'data') yield message.bytes;
      else if (message.kind === 'progress') progress(message.doneBytes);
      else {
        at.next = message.name;
        return;
      }
    }
  }
  // What stands before the first file is progress alone.
  await drain(content());
  for (let name = at.next; name !== null; name = at.next) {
    at.next = null;
    const stream = content();
    await store({ name, stream });
    // A reader that stopped early must not shift the next file.
    await drain(stream);
  }
}

function expectedBytes(results: CopyStream['results']): number {
  const tablespaces = results[1] ?? [];
  return tablespaces.reduce((sum, row) => sum + Number(row['size'] ?? 0) * 1024, 0);
}

function describe(systemId: string, results: CopyStream['results']): BaseBackup {
  const start = results[0]?.[0];
  const end = results.at(-1)?.[0];
  if (results.length < 3 || start?.['recptr'] == null || end?.['recptr'] == null || end['tli'] == null)
    throw new DomainError('unavailable', 'The database ended a base backup without saying where');
  return {
    systemId,
    timeline: Number(end['tli']),
    startLsn: parseLsn(start['recptr']),
    stopLsn: parseLsn(end['recptr']),
    tablespaces: (results[1] ?? []).flatMap((row) =>
      row['spcoid'] == null ? [] : [{ oid: row['spcoid'], location: row['spclocation'] ?? '' }],
    ),
  };
}
