import type { CopyStream, ReplicationConnection } from './replication-connection.ts';
import { formatLsn, type Lsn } from './lsn.ts';

/** PostgreSQL counts microseconds since 2000-01-01. */
const EPOCH_2000_MS = Date.UTC(2000, 0, 1);
const DATA_HEADER_BYTES = 25;

export interface WalChunk {
  readonly start: Lsn;
  readonly bytes: Buffer;
  /** Epoch ms by the database's clock. */
  readonly sentAtMs: number;
}

export interface WalStream {
  /** The next bytes, `null` when the server ends the stream (its timeline changed). */
  take(): Promise<WalChunk | null>;
  /** Tells the server what is safe elsewhere, and asks it for a sign of life. */
  confirm(lsn: Lsn): void;
  /** Epoch ms by the server's clock of its last message. */
  lastHeardMs(): number;
}

/** Starts to stream the log from a position on, which must be the start of a segment for whole segments. */
export function startWalStream(
  connection: ReplicationConnection,
  { slot, from, timeline }: { slot: string; from: Lsn; timeline: number },
): WalStream {
  const copy = connection.copy(
    `START_REPLICATION SLOT ${slot} PHYSICAL ${formatLsn(from)} TIMELINE ${String(timeline)}`,
  );
  let heardMs = 0;
  return {
    take: () =>
      nextChunk(copy, (atMs) => {
        heardMs = atMs;
      }),
    confirm: (lsn) => copy.send(statusUpdate(lsn)),
    lastHeardMs: () => heardMs,
  };
}

async function nextChunk(copy: CopyStream, heard: (atMs: number) => void): Promise<WalChunk | null> {
  for (;;) {
    const message = await copy.take();
    if (message === null) return null;
    const kind = String.fromCharCode(message[0] ?? 0);
    // w: start, end of the server's log, clock, bytes. k: end of the log, clock, whether an answer is wanted.
    const clock = kind === 'w' ? 17 : 9;
    const sentAtMs = EPOCH_2000_MS + Number(message.readBigInt64BE(clock) / 1000n);
    heard(sentAtMs);
    if (kind === 'w') {
      return { start: message.readBigUInt64BE(1), bytes: message.subarray(DATA_HEADER_BYTES), sentAtMs };
    }
  }
}

/** r: written, flushed, applied, clock, answer wanted. */
function statusUpdate(lsn: Lsn): Buffer {
  const message = Buffer.alloc(34);
  message.write('r', 0, 'latin1');
  for (const at of [1, 9, 17]) message.writeBigUInt64BE(lsn, at);
  message.writeBigInt64BE(BigInt(Date.now() - EPOCH_2000_MS) * 1000n, 25);
  message[33] = 1;
  return message;
}
