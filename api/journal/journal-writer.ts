import { unlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { PredictionRecord } from '../../domain/records.ts';
import type { ServingLog } from '../serving/ports.ts';
import { createRareLog } from '../serving/rare-log.ts';
import type { Answer } from '../serving/conclude.ts';
import type { FlushWaiter, RecordSink } from '../serving/record-sink.ts';
import { FRAME_BYTES_MAX, HEADER_BYTES, sealFrame } from './frame.ts';
import { ALIVE_FILE } from './journal-files.ts';
import { createFactsEncoder, recordOfLine } from './record-line.ts';
import type { RecordFacts } from './record-line.ts';
import { fileIo, HalfWritten, SegmentFile } from './segment-file.ts';
import type { SegmentIo } from './segment-file.ts';
import { WRITER_PAUSE_MS_MAX } from './sign-of-life.ts';

/** A segment is deleted when all of it is shipped, and dropped whole at the bound: small against the bound. */
const SEGMENT_BYTES = 8 * 1024 * 1024;
/** A quiet process's records are on their way out of the disk after this long, too. */
const SEGMENT_AGE_MS = 5 * 60_000;
/** Text of one frame; a turn with more (large requests) takes several writes. */
const FRAME_CHARS = 256 * 1024;
/** UTF-8 takes three bytes for a UTF-16 unit at most. */
const BYTES_PER_CHAR_MAX = 3;
/** Power cuts and crashes of the system lose this much at most; killed processes lose nothing. */
const SYNC_EVERY_MS = 1_000;
/** A full disk is tried again this often; records go the other way meanwhile. */
const RETRY_AFTER_MS = 1_000;
const LOG_EVERY_MS = 60_000;

export interface JournalWriterDeps {
  /** The journal's folder, shared by all processes of a home. */
  readonly dir: string;
  /** UUID of this process's run; never used again by another. */
  readonly instance: string;
  /** Takes the records that cannot be appended. */
  readonly fallback: RecordSink;
  readonly log: ServingLog;
  readonly segmentBytes?: number;
  readonly segmentAgeMs?: number;
  readonly io?: SegmentIo;
}

export interface JournalWriterStatus {
  /** Records appended since the start. */
  readonly appended: number;
  /** Records that went to the fallback, as the journal could not be written. */
  readonly spilled: number;
  /** The journal could not be written at the last try. */
  readonly failing: boolean;
}

export interface JournalWriter extends RecordSink {
  status(): JournalWriterStatus;
}

/**
 * Appends the records of one turn of the event loop with one write. `flushed()` resolves when that write has
 * returned: an answer that waits for it is in the journal before its bytes leave, whatever happens to the process.
 */
export function createJournalWriter(deps: JournalWriterDeps): JournalWriter {
  const writer = new Writer(deps);
  return {
    write: (record) => writer.write(record),
    writeText: (answer, rolloutId, entityId, features) => writer.writeText(answer, rolloutId, entityId, features),
    flushed: () => writer.flushed,
    whenFlushed: (waiter) => writer.whenFlushed(waiter),
    queued: () => deps.fallback.queued(),
    dropped: () => deps.fallback.dropped(),
    status: () => writer.status,
    close: async (limitMs) => {
      await writer.close();
      await deps.fallback.close(limitMs);
    },
  };
}

/** The records of a turn of the event loop that are not written yet. */
interface Turn {
  readonly waiters: FlushWaiter[];
  /** Made when somebody asks for a promise. */
  written: Promise<void> | null;
  settle: () => void;
}

class Writer {
  readonly #deps: JournalWriterDeps;
  readonly #encode = createFactsEncoder();
  readonly #rarely = createRareLog(LOG_EVERY_MS);
  readonly #timer: NodeJS.Timeout;
  readonly #buffer = Buffer.allocUnsafe(HEADER_BYTES + FRAME_CHARS * BYTES_PER_CHAR_MAX);
  #text = '';
  #records = 0;
  #turn: Turn | null = null;
  #file: SegmentFile | null = null;
  #segment = 0;
  #aliveAtMs = performance.now();
  #retryAtMs = 0;
  #appended = 0;
  #spilled = 0;
  #failing = false;
  #closed = false;

  constructor(deps: JournalWriterDeps) {
    this.#deps = deps;
    try {
      this.#file = this.#open();
    } catch (error) {
      this.#noteFailure(error);
    }
    this.#timer = setInterval(() => this.#tick(), SYNC_EVERY_MS);
    this.#timer.unref();
  }

  get status(): JournalWriterStatus {
    return { appended: this.#appended, spilled: this.#spilled, failing: this.#failing };
  }

  /** `null`: all that was written so far is appended, or has gone to the fallback. */
  get flushed(): Promise<void> | null {
    const turn = this.#turn;
    if (turn === null) return null;
    turn.written ??= new Promise<void>((resolve) => {
      turn.settle = resolve;
    });
    return turn.written;
  }

  whenFlushed(waiter: FlushWaiter): void {
    if (this.#turn === null) waiter.onFlushed();
    else this.#turn.waiters.push(waiter);
  }

  write(record: PredictionRecord): void {
    if (this.#isResting()) this.#spill([record]);
    else this.#add(this.#encode(record, JSON.stringify(record.features)));
  }

  writeText(answer: Answer, rolloutId: string | null, entityId: string | null, featuresJson: string): void {
    const { requestId, model, version, variant, probability, label, risk, latencyMs } = answer;
    const createdAtMs = Date.now();
    const facts: RecordFacts = {
      requestId,
      model,
      version,
      variant,
      rolloutId,
      entityId,
      probability,
      label,
      risk,
      latencyMs,
      createdAtMs,
    };
    const line = this.#encode(facts, featuresJson);
    if (this.#isResting()) this.#spill([recordOfLine(line)]);
    else this.#add(line);
  }

  /** Nothing is appended: the end has come, or the disk has just failed. */
  #isResting(): boolean {
    return this.#closed || (this.#retryAtMs > 0 && performance.now() < this.#retryAtMs);
  }

  #add(line: string): void {
    if (this.#text.length + line.length >= FRAME_CHARS) this.#append();
    this.#text += `${line}\n`;
    this.#records += 1;
    this.#turn ??= this.#beginTurn();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#closed = true;
    this.#endTurn();
    await this.#file?.close(this.#onSyncFailure);
    this.#file = null;
    // Says that nothing more will come.
    await unlink(join(this.#deps.dir, this.#deps.instance, ALIVE_FILE)).catch(() => undefined);
  }

  /** `nextTick` comes when all promises that this turn can settle are settled: every answer of a run is in by then. */
  #beginTurn(): Turn {
    process.nextTick(this.#endTurn);
    return { waiters: [], written: null, settle: () => undefined };
  }

  readonly #endTurn = (): void => {
    const turn = this.#turn;
    if (turn === null) return;
    this.#append();
    this.#turn = null;
    for (const waiter of turn.waiters) waiter.onFlushed();
    turn.settle();
  };

  #append(): void {
    const text = this.#text;
    const records = this.#records;
    if (records === 0) return;
    this.#text = '';
    this.#records = 0;
    try {
      const { buffer, bytes } = this.#frameOf(text, records);
      this.#fileForNow().append(buffer, bytes);
      this.#appended += records;
      this.#failing = false;
      this.#retryAtMs = 0;
    } catch (error) {
      if (error instanceof HalfWritten) this.#abandon();
      this.#noteFailure(error);
      this.#spill(text.slice(0, -1).split('\n').map(recordOfLine));
    }
  }

  #frameOf(text: string, records: number): { readonly buffer: Buffer; readonly bytes: number } {
    const bytesMax = HEADER_BYTES + text.length * BYTES_PER_CHAR_MAX;
    const buffer = bytesMax <= this.#buffer.length ? this.#buffer : Buffer.allocUnsafe(bytesMax);
    const payloadBytes = buffer.write(text, HEADER_BYTES, 'utf8');
    if (payloadBytes > FRAME_BYTES_MAX) throw new RangeError(`a record of ${payloadBytes} bytes is too long`);
    return { buffer, bytes: sealFrame(buffer, payloadBytes, records, Date.now()) };
  }

  /** A process that stood still for long may have been taken for dead, and its file removed: it begins another. */
  #fileForNow(): SegmentFile {
    const { segmentBytes = SEGMENT_BYTES } = this.#deps;
    this.#noteAlive();
    if (this.#file !== null && this.#file.bytes >= segmentBytes) this.#abandon();
    return (this.#file ??= this.#open());
  }

  #open(): SegmentFile {
    this.#segment += 1;
    const { dir, instance, io = fileIo } = this.#deps;
    return new SegmentFile(dir, instance, this.#segment, io);
  }

  /** Closes the segment behind the scenes; the next append begins another. */
  #abandon(): void {
    void this.#file?.close(this.#onSyncFailure);
    this.#file = null;
  }

  #noteAlive(): void {
    const now = performance.now();
    if (now - this.#aliveAtMs > WRITER_PAUSE_MS_MAX) this.#abandon();
    this.#aliveAtMs = now;
  }

  #tick(): void {
    const { dir, instance, segmentAgeMs = SEGMENT_AGE_MS } = this.#deps;
    this.#noteAlive();
    const now = new Date();
    utimes(join(dir, instance, ALIVE_FILE), now, now).catch(() => undefined);
    const file = this.#file;
    if (file === null) return;
    if (file.bytes > 0 && performance.now() - file.openedAtMs > segmentAgeMs) this.#abandon();
    else file.sync(this.#onSyncFailure);
  }

  readonly #onSyncFailure = (error: unknown): void => {
    this.#rarely('sync', () => this.#deps.log.error({ err: error }, 'the journal could not be synced to the disk'));
  };

  #noteFailure(error: unknown): void {
    this.#failing = true;
    this.#retryAtMs = performance.now() + RETRY_AFTER_MS;
    this.#rarely('append', () =>
      this.#deps.log.error(
        { err: error, spilled: this.#spilled },
        'the journal cannot be written: records wait in memory, and are lost with the process',
      ),
    );
  }

  #spill(records: readonly PredictionRecord[]): void {
    this.#spilled += records.length;
    for (const record of records) this.#deps.fallback.write(record);
  }
}
