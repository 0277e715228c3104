import { DomainError } from '../../domain/errors.ts';

/** Rows of one run at most: at 10 us a row (300 trees) a run holds the event loop for under 3 ms. */
export const MAX_BATCH_ROWS = 256;
/** Rows a run takes from large requests, so that single predictions always find the other half free. */
export const BULK_CHUNK_ROWS = 128;
const SINGLES_PER_BATCH = MAX_BATCH_ROWS - BULK_CHUNK_ROWS;
/** Waiting single rows; at 10 us a row the last of them would wait 80 ms, longer than any client likes. */
const MAX_QUEUED_SINGLES = 8_192;
/** Waiting rows of large requests: 100 requests of 1,000 rows, one second of work; 100 floats a row are 40 MB. */
const MAX_QUEUED_BULK_ROWS = 100_000;
/** Input buffers kept for reuse: one filling, one running, and two for bursts. */
const MAX_SPARE_SLABS = 4;
/** When a run fails its callers are run alone, so that one bad row fails alone; after this many failures all fail. */
const MAX_ISOLATED_FAILURES = 8;

/**
 * One run of the model: row-major `[rows, width]` in, one probability per row out. The input is read until it settles.
 * @throws or rejects with what the model fails with
 */
export type RunRows = (matrix: Float32Array, rows: number) => Promise<Float32Array> | Float32Array;

/** Who waits for one row. Exactly one of the two is called, once, and never before the row is handed in. */
export interface RowWaiter {
  resolve(probability: number): void;
  reject(reason: unknown): void;
}

/** Writes a row's floats to `matrix[offset ..]`; false: there is no row after all. */
export type WriteRow<T> = (what: T, matrix: Float32Array, offset: number) => boolean;

/** The input of one run: single rows as they come, then a chunk of a large request. */
interface Slab {
  readonly matrix: Float32Array;
  waiters: RowWaiter[];
}

/** What is being run. */
interface Run {
  readonly slab: Slab;
  readonly singles: number;
  readonly job: BulkJob | undefined;
  /** Rows of the job in this run. */
  readonly chunk: number;
}

interface BulkJob {
  readonly rows: Float32Array;
  readonly results: Float32Array;
  done: number;
  readonly resolve: (probabilities: Float32Array) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Micro-batching without a timer: what arrives in one turn of the event loop shares one run, what arrives meanwhile
 * shares the next. One run at a time; a failed run rejects only the rows it failed for.
 */
export class RowBatcher {
  readonly #width: number;
  readonly #run: RunRows;
  readonly #onBatch: (rows: number) => void;
  readonly #queued: Slab[] = [];
  readonly #spare: Slab[] = [];
  readonly #bulk: BulkJob[] = [];
  #queuedSingles = 0;
  #queuedBulkRows = 0;
  #scheduled = false;
  #running = false;
  #closed = false;
  #whenIdle: (() => void)[] = [];

  constructor(width: number, run: RunRows, onBatch: (rows: number) => void = () => {}) {
    this.#width = width;
    this.#run = run;
    this.#onBatch = onBatch;
  }

  /**
   * The row is copied before the call returns, so its buffer may be used again.
   * @throws DomainError `unavailable` when too many rows wait, or after `drain`
   */
  predictOne(row: Float32Array): Promise<number> {
    return new Promise((resolve, reject) => {
      const { matrix, waiters } = this.#openSlab();
      matrix.set(row, waiters.length * this.#width);
      this.#enter(waiters, { resolve, reject });
    });
  }

  /**
   * Lets a row be written straight into the input of the next run: no copy and no promise.
   * @throws DomainError `unavailable` when too many rows wait, or after `drain`
   */
  placeOne<T>(what: T, write: WriteRow<T>, waiter: RowWaiter): void {
    const { matrix, waiters } = this.#openSlab();
    if (write(what, matrix, waiters.length * this.#width)) this.#enter(waiters, waiter);
  }

  /**
   * Row-major `[count, width]`, copied before the call returns; answers in order. Runs in chunks between others.
   * @throws DomainError `unavailable` when too many rows wait, or after `drain`
   */
  predictMany(rows: Float32Array, count: number): Promise<Float32Array> {
    if (this.#closed || this.#queuedBulkRows + count > MAX_QUEUED_BULK_ROWS) return Promise.reject(this.#refusal());
    const results = new Float32Array(count);
    if (count === 0) return Promise.resolve(results);
    this.#queuedBulkRows += count;
    this.#schedule();
    return new Promise((resolve, reject) => {
      this.#bulk.push({ rows: rows.slice(0, count * this.#width), results, done: 0, resolve, reject });
    });
  }

  /** Takes no more rows; resolves when those waiting are answered. */
  drain(): Promise<void> {
    this.#closed = true;
    if (!this.#scheduled && !this.#running) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  #refusal(): DomainError {
    const why = this.#closed ? 'The model is being unloaded' : 'Too many predictions wait; try again';
    return new DomainError('unavailable', why);
  }

  /** The slab with room for one more single row. */
  #openSlab(): Slab {
    if (this.#closed || this.#queuedSingles >= MAX_QUEUED_SINGLES) throw this.#refusal();
    const last = this.#queued[this.#queued.length - 1];
    if (last !== undefined && last.waiters.length < SINGLES_PER_BATCH) return last;
    const slab = this.#takeSlab();
    this.#queued.push(slab);
    return slab;
  }

  #enter(waiters: RowWaiter[], waiter: RowWaiter): void {
    waiters.push(waiter);
    this.#queuedSingles += 1;
    this.#schedule();
  }

  #takeSlab(): Slab {
    return this.#spare.pop() ?? { matrix: new Float32Array(MAX_BATCH_ROWS * this.#width), waiters: [] };
  }

  #schedule(): void {
    if (this.#scheduled || this.#running) return;
    this.#scheduled = true;
    setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    this.#scheduled = false;
    this.#running = true;
    const slab = this.#queued.shift() ?? this.#takeSlab();
    const job = this.#bulk.shift();
    const chunk = job === undefined ? 0 : this.#copyChunk(job, slab);
    const run: Run = { slab, singles: slab.waiters.length, job, chunk };
    let answers: Promise<Float32Array> | Float32Array;
    try {
      answers = this.#runRange(slab, 0, run.singles + chunk);
    } catch (cause) {
      void this.#endFailed(run, cause);
      return;
    }
    if (answers instanceof Promise) void this.#endLater(run, answers);
    else this.#end(run, answers);
  };

  async #endLater(run: Run, running: Promise<Float32Array>): Promise<void> {
    let answers: Float32Array;
    try {
      answers = await running;
    } catch (cause) {
      await this.#endFailed(run, cause);
      return;
    }
    this.#end(run, answers);
  }

  #end(run: Run, answers: Float32Array): void {
    const { slab, singles, job } = run;
    // A waiter may hand in its next row at once: it belongs to the next run.
    const { waiters } = slab;
    for (let i = 0; i < singles; i += 1) (waiters[i] as RowWaiter).resolve(answers[i] as number);
    if (job !== undefined) this.#advance(job, answers.subarray(singles));
    this.#leave(run);
  }

  async #endFailed(run: Run, cause: unknown): Promise<void> {
    await this.#isolate(run.slab, run.job, run.chunk, cause);
    this.#leave(run);
  }

  #leave({ slab, singles, chunk }: Run): void {
    this.#queuedSingles -= singles;
    this.#queuedBulkRows -= chunk;
    this.#running = false;
    slab.waiters = [];
    if (this.#spare.length < MAX_SPARE_SLABS) this.#spare.push(slab);
    if (this.#queued.length > 0 || this.#bulk.length > 0) this.#schedule();
    else this.#settleIdle();
  }

  /** Puts the next rows of a large request behind the single rows; returns their number. */
  #copyChunk(job: BulkJob, slab: Slab): number {
    const chunk = Math.min(BULK_CHUNK_ROWS, job.results.length - job.done);
    const rows = job.rows.subarray(job.done * this.#width, (job.done + chunk) * this.#width);
    slab.matrix.set(rows, slab.waiters.length * this.#width);
    return chunk;
  }

  #runRange(slab: Slab, from: number, rows: number): Promise<Float32Array> | Float32Array {
    this.#onBatch(rows);
    const matrix = slab.matrix.subarray(from * this.#width, (from + rows) * this.#width);
    const answers = this.#run(matrix, rows);
    return answers instanceof Promise ? answers.then((given) => checked(given, rows)) : checked(answers, rows);
  }

  /** Large requests take turns: what is left of this one goes behind the others. */
  #advance(job: BulkJob, answers: Float32Array): void {
    job.results.set(answers, job.done);
    job.done += answers.length;
    if (job.done < job.results.length) this.#bulk.push(job);
    else job.resolve(job.results);
  }

  /** Runs every caller of a failed run alone: a caller's row must not fail another caller's answer. */
  async #isolate(slab: Slab, job: BulkJob | undefined, chunk: number, cause: unknown): Promise<void> {
    const callers = slab.waiters.length + (job === undefined ? 0 : 1);
    let failures = callers === 1 ? MAX_ISOLATED_FAILURES : 0;
    const attempt = async (from: number, rows: number): Promise<Float32Array> => {
      if (failures >= MAX_ISOLATED_FAILURES) throw cause;
      try {
        return await this.#runRange(slab, from, rows);
      } catch (error) {
        failures += 1;
        throw error;
      }
    };
    for (const [i, waiter] of slab.waiters.entries()) {
      await attempt(i, 1).then(
        (answers) => waiter.resolve(answers[0] as number),
        (error: unknown) => waiter.reject(error),
      );
    }
    if (job === undefined) return;
    await attempt(slab.waiters.length, chunk).then(
      (answers) => this.#advance(job, answers),
      (error: unknown) => {
        // The chunk itself is taken off by the run; the rows behind it are given up here.
        this.#queuedBulkRows -= job.results.length - job.done - chunk;
        job.reject(error);
      },
    );
  }

  #settleIdle(): void {
    const waiting = this.#whenIdle;
    this.#whenIdle = [];
    for (const resolve of waiting) resolve();
  }
}

function checked(answers: Float32Array, rows: number): Float32Array {
  if (answers.length !== rows) throw new Error(`the model answered ${answers.length} values for ${rows} rows`);
  return answers;
}
