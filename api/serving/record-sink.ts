import type { RecordStore } from '../../db/ports.ts';
import { DomainError } from '../../domain/errors.ts';
import type { PredictionRecord } from '../../domain/records.ts';
import type { Answer } from './conclude.ts';
import { createPeriodicFlush } from './periodic-flush.ts';
import type { ServingLog } from './ports.ts';
import { createRareLog } from './rare-log.ts';

/** Waits for what was written to be safe. */
export interface FlushWaiter {
  onFlushed(): void;
}

/** Where answered predictions go. A journal on disk that survives a killed process implements the same port. */
export interface RecordSink {
  /** Never waits and never throws. */
  write(record: PredictionRecord): void;
  /**
   * The same for features that are JSON text, one line that the signature's names and types are in. Absent: only
   * records are taken.
   */
  writeText?(answer: Answer, rolloutId: string | null, entityId: string | null, featuresJson: string): void;
  /**
   * Resolves when what was written so far is as safe as this sink makes it: an answer leaves after that. `null`: it
   * is already. Never rejects.
   */
  flushed(): Promise<void> | null;
  /** The same without a promise: calls the waiter when `flushed()` would resolve. Absent: only `flushed` is there. */
  whenFlushed?(waiter: FlushWaiter): void;
  /** Records waiting. */
  queued(): number;
  /** Records given up since the start. */
  dropped(): number;
  /** Writes what waits, for `limitMs` at most. */
  close(limitMs: number): Promise<void>;
}

/** About 1 KB a record with 20 features: 50 MB at most; at 1,000 predictions/s an outage of 50 s costs nothing. */
const QUEUE_LIMIT = 50_000;
/** Rows of one insert: about 0.5 MB, some 10 ms in the database; larger ones gain nothing. */
const BATCH_ROWS = 500;
/** How long a record of a quiet process waits. */
const FLUSH_EVERY_MS = 200;
/** One line a minute says what an outage does; one per record would be an outage of the log. */
const LOG_EVERY_MS = 60_000;

export interface RecordSinkDeps {
  readonly records: Pick<RecordStore, 'savePredictions'>;
  readonly log: ServingLog;
  /** For tests; default `QUEUE_LIMIT`. */
  readonly queueLimit?: number;
}

/** Write-behind in memory: what is queued when the process is killed is lost. Drops the oldest when full. */
export function createRecordSink({ records, log, queueLimit = QUEUE_LIMIT }: RecordSinkDeps): RecordSink {
  // A ring: `head` and `tail` count records since the start, so a batch on its way is found again after drops.
  const ring = new Array<PredictionRecord | undefined>(queueLimit);
  let head = 0;
  let tail = 0;
  let dropped = 0;
  let batchRows = BATCH_ROWS;
  const rarely = createRareLog(LOG_EVERY_MS);
  const warn = (details: object, message: string) => rarely(message, () => log.warn(details, message));
  const flush = createPeriodicFlush({
    everyMs: FLUSH_EVERY_MS,
    hasWork: () => tail > head,
    write: writeBatch,
    isUrgent: () => tail - head >= BATCH_ROWS,
    onFailure: (error, retryInMs) =>
      warn({ err: error, queued: tail - head, dropped, retryInMs }, 'prediction records wait for the database'),
  });

  function write(record: PredictionRecord): void {
    if (tail - head >= queueLimit) {
      giveUp(1);
      warn({ dropped, queueLimit }, 'the buffer of prediction records is full: the oldest are dropped');
    }
    ring[tail % queueLimit] = record;
    tail += 1;
    if (tail - head >= BATCH_ROWS) flush.flushSoon();
  }

  async function writeBatch(): Promise<void> {
    const from = head;
    const rows: PredictionRecord[] = [];
    for (let i = from; i < Math.min(tail, from + batchRows); i += 1) {
      const record = ring[i % queueLimit];
      if (record !== undefined) rows.push(record);
    }
    try {
      await records.savePredictions(rows);
      release(from + rows.length);
      batchRows = BATCH_ROWS;
    } catch (error) {
      narrowDown(error, from, rows.length);
      throw error;
    }
  }

  /**
   * A failure that is no outage may be one record's: halving the batch finds it, and it alone is given up, where the
   * same batch again and again would hold up all that follow.
   */
  function narrowDown(error: unknown, from: number, rows: number): void {
    if (error instanceof DomainError && error.code === 'unavailable') return;
    if (rows > 1) batchRows = Math.ceil(rows / 2);
    else if (head === from) {
      giveUp(1);
      rarely('unstorable', () =>
        log.error({ err: error, dropped }, 'a prediction record cannot be stored and is dropped'),
      );
    }
  }

  function giveUp(count: number): void {
    release(head + count);
    dropped += count;
  }

  /** Frees the ring up to `until`; a drop may have got there first. */
  function release(until: number): void {
    for (; head < until; head += 1) ring[head % queueLimit] = undefined;
  }

  async function close(limitMs: number): Promise<void> {
    if (await flush.close(limitMs)) return;
    log.error({ lost: tail - head }, 'prediction records were not written before the process ended');
  }

  return { write, flushed: () => null, queued: () => tail - head, dropped: () => dropped, close };
}
