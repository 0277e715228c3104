import type { JournalStore } from '../../db/ports.ts';
import type { ServingLog } from '../serving/ports.ts';
import { collectBatch } from './collect-batch.ts';
import type { Collected } from './collect-batch.ts';
import { bytesIn, InventoryWatch } from './inventory.ts';
import type { Inventory, Segment } from './inventory.ts';
import { enforceBounds } from './journal-bounds.ts';
import type { Bounds } from './journal-bounds.ts';
import { isGone, removeFile, removeInstance, segmentPath } from './journal-files.ts';
import { Positions } from './positions.ts';
import { writtenAtMs } from './segment-reader.ts';
import { shipBatch } from './ship-batch.ts';
import { ShipperNotes } from './shipper-notes.ts';

/** Rows of one transaction: 0.7 MB, some 40 ms in the database. */
const BATCH_RECORDS = 1_000;
/** How long a record of a quiet process waits at most, so that feedback soon after an answer finds it. */
const IDLE_MS = 100;
/**
 * The pace of a backlog. A row of 19 features takes 40 us of a core in Postgres and 10 us here (decision 0011): this
 * is a fifth of one core, and half an hour of 1,000 predictions/s is caught up in ten minutes.
 */
const RECORDS_PER_SECOND = 4_000;
/**
 * The pace while more comes in than the first number a second: the cores are full, and what shipping takes, answers
 * lack. At the default bound two minutes of that fit below the pressure below; what follows is longer than any peak.
 */
const BUSY_RECORDS_PER_SECOND = 5_000;
const BUSY_PACE = 1_500;
/** From this share of the bound on there is no pace: slower predictions are better than lost records. */
const PRESSURE_SHARE = 0.5;
/** Wait after the n-th failure in a row: doubles from the first to the last. */
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 2_000;
const WATCH_EVERY_MS = 1_000;

export interface JournalShipperDeps {
  /** The journal's folder: own segments and those of processes that are gone. */
  readonly dir: string;
  readonly store: JournalStore;
  readonly bounds: Bounds;
  readonly log: ServingLog;
  /** Rows per second while there is a backlog. */
  readonly recordsPerSecond?: number;
  readonly watchEveryMs?: number;
}

/** Counts are since the shipper's start. */
export interface JournalStatus {
  /** On the disk, shipped parts of open segments included. */
  readonly bytes: number;
  /** Records not shipped yet; an estimate from their bytes. */
  readonly waiting: number;
  /** Age of the oldest record not shipped yet, 0 when there is none. */
  readonly lagSeconds: number;
  readonly shipped: number;
  /** Lost at the bound. */
  readonly dropped: number;
  /** Put aside: the database refuses them, or the disk has damaged them. */
  readonly rejected: number;
  /** The last try to ship has failed. */
  readonly failing: boolean;
}

export interface JournalShipper {
  status(): JournalStatus;
  /** Ships what is there, for `limitMs` at most; the rest stays for the next start. */
  close(limitMs: number): Promise<void>;
}

/** Begins at once. Any number of them may run on one folder or on one database: a record is stored once. */
export function createJournalShipper(deps: JournalShipperDeps): JournalShipper {
  const shipper = new Shipper(deps);
  return { status: () => shipper.status, close: (limitMs) => shipper.close(limitMs) };
}

class Shipper {
  readonly #deps: JournalShipperDeps;
  readonly #watch: InventoryWatch;
  readonly #positions = new Positions();
  readonly #notes: ShipperNotes;
  readonly #busy = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  readonly #running: Promise<void>;
  #wake: () => void = () => undefined;
  #looking: Promise<Inventory> | null = null;
  #watching = false;
  #closing = false;
  #turn = 0;
  #failures = 0;
  #failingSinceMs: number | null = null;
  #bytes = 0;
  #waitingBytes = 0;
  #bytesPerRecord = 600;
  #oldestMs: number | null = null;
  #isBusy = false;
  /** Records that had come, shipped or waiting, when it was looked last. */
  #come = { records: 0, atMs: performance.now() };

  constructor(deps: JournalShipperDeps) {
    this.#deps = deps;
    this.#watch = new InventoryWatch(deps.dir);
    this.#notes = new ShipperNotes(deps.dir, deps.log);
    this.#timer = setInterval(() => void this.#keepBounds(), deps.watchEveryMs ?? WATCH_EVERY_MS);
    this.#running = this.#run();
  }

  get status(): JournalStatus {
    const { shipped, dropped, rejected } = this.#notes;
    return {
      bytes: this.#bytes,
      waiting: Math.ceil(this.#waitingBytes / this.#bytesPerRecord),
      lagSeconds: this.#oldestMs === null ? 0 : Math.max(0, Date.now() - this.#oldestMs) / 1000,
      shipped,
      dropped,
      rejected,
      failing: this.#failures > 0,
    };
  }

  async close(limitMs: number): Promise<void> {
    clearInterval(this.#timer);
    this.#closing = true;
    this.#wake();
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, limitMs);
    });
    await Promise.race([this.#running, limit]);
    clearTimeout(timer);
  }

  async #run(): Promise<void> {
    for (;;) {
      const startedAtMs = performance.now();
      const wasClosing = this.#closing;
      const shipped = await this.#tryRound();
      // One whole round behind the last write, and on as long as there is something to ship.
      if (wasClosing && shipped === 0) return;
      const waitMs = this.#waitAfter(shipped, performance.now() - startedAtMs);
      if (waitMs > 0 && !this.#closing) await this.#sleep(waitMs);
    }
  }

  #waitAfter(shipped: number, tookMs: number): number {
    if (this.#failures > 0) return Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** (this.#failures - 1));
    const { recordsPerSecond = this.#isBusy ? BUSY_PACE : RECORDS_PER_SECOND, bounds } = this.#deps;
    const underPressure = this.#bytes > bounds.bytesMax * PRESSURE_SHARE;
    const paceMs = underPressure ? 0 : (shipped / recordsPerSecond) * 1000 - tookMs;
    return shipped >= BATCH_RECORDS ? paceMs : Math.max(paceMs, IDLE_MS);
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Records shipped; 0 also when it failed. */
  async #tryRound(): Promise<number> {
    try {
      const shipped = await this.#round();
      if (this.#failures > 0) this.#notes.recovered(this.status.waiting);
      this.#failures = 0;
      this.#failingSinceMs = null;
      return shipped;
    } catch (error) {
      this.#failures += 1;
      this.#failingSinceMs ??= performance.now();
      this.#notes.waiting(error, this.status);
      return 0;
    } finally {
      this.#busy.clear();
    }
  }

  async #round(): Promise<number> {
    const inventory = await this.#look();
    const unknown = this.#positions.unknown(inventory);
    if (unknown.length > 0) this.#positions.learn(unknown, await this.#deps.store.positions(unknown));
    this.#turn += 1;
    const batch = await collectBatch(inventory, this.#positions, BATCH_RECORDS, this.#turn);
    if (batch.moves.length > 0) await this.#ship(batch);
    await this.#removeShipped(inventory);
    return batch.lines.length;
  }

  async #ship({ lines, moves, broken, bytes }: Collected): Promise<void> {
    const { dir, store } = this.#deps;
    for (const { instance, segment } of moves) this.#busy.add(segmentPath(dir, instance, segment));
    if (lines.length > 0) this.#bytesPerRecord = bytes / lines.length;
    const rejectedBefore = this.#notes.rejected;
    const reject = (refused: readonly string[], cause: unknown) => this.#notes.reject(refused, cause);
    if ((await shipBatch({ lines, moves }, { store, reject })) === 'overtaken') {
      // Another shipper was there, or an earlier try of ours that looked like a failure.
      this.#positions.forgetInstances(moves.map((m) => m.instance));
      return;
    }
    this.#positions.move(moves);
    this.#notes.shipped += lines.length - (this.#notes.rejected - rejectedBefore);
    for (const { segment, part } of broken) await this.#notes.broken(segment, part);
  }

  async #removeShipped(inventory: Inventory): Promise<void> {
    const shipped: Segment[] = [];
    for (const [instance, { segments, isOver }] of inventory) {
      if (isOver && segments.length === 0) {
        await removeInstance(this.#deps.dir, instance);
        this.#positions.forgetInstances([instance]);
      }
      shipped.push(...segments.filter((s) => s.isFinal && this.#positions.of(s) >= s.bytes));
    }
    for (const segment of shipped) {
      await removeFile(segment.path);
      this.#positions.forgetSegment(segment);
    }
    if (shipped.length > 0) await this.#deps.store.forget(shipped);
  }

  /** The loop may hang in the database for a while: the bounds are kept, and the figures are made, beside it. */
  async #keepBounds(): Promise<void> {
    if (this.#watching) return;
    this.#watching = true;
    try {
      const inventory = await this.#look();
      const failingForMs = this.#failingSinceMs === null ? 0 : performance.now() - this.#failingSinceMs;
      const state = { inventory, positions: this.#positions, busy: this.#busy, failingForMs, nowMs: Date.now() };
      this.#notes.drop(await enforceBounds(this.#deps.bounds, state), this.#bytes, this.#deps.bounds);
      this.#oldestMs = await this.#oldest(inventory);
      this.#noteArrivals();
    } catch (error) {
      this.#notes.notWatched(error);
    } finally {
      this.#watching = false;
    }
  }

  #noteArrivals(): void {
    const atMs = performance.now();
    const { shipped, dropped, rejected } = this.#notes;
    const records = shipped + dropped + rejected + this.status.waiting;
    this.#isBusy =
      ((records - this.#come.records) * 1000) / Math.max(1, atMs - this.#come.atMs) > BUSY_RECORDS_PER_SECOND;
    this.#come = { records, atMs };
  }

  #look(): Promise<Inventory> {
    this.#looking ??= this.#watch
      .look(performance.now())
      .then((inventory) => {
        this.#bytes = bytesIn(inventory);
        this.#waitingBytes = this.#positions.waitingBytes(inventory);
        return inventory;
      })
      .finally(() => {
        this.#looking = null;
      });
    return this.#looking;
  }

  async #oldest(inventory: Inventory): Promise<number | null> {
    let oldest: number | null = null;
    for (const { segments } of inventory.values()) {
      const segment = segments.find((s) => this.#positions.of(s) < s.bytes);
      if (segment === undefined) continue;
      const atMs = await writtenAtMs(segment.path, this.#positions.of(segment)).catch((error: unknown) => {
        if (isGone(error)) return null;
        throw error;
      });
      if (atMs !== null && (oldest === null || atMs < oldest)) oldest = atMs;
    }
    return oldest;
  }
}
