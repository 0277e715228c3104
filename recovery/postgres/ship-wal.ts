import { setTimeout as sleep } from 'node:timers/promises';
import { unlessRefused } from '../../adapters/object-stores/unless-refused.ts';
import { createSegmentBuffers, type SegmentPart } from './segment-buffers.ts';
import { connectReplication } from './replication-connection.ts';
import { formatLsn, type Lsn } from './lsn.ts';
import { isForbidden, isTaken, requireFreeSlot } from './slot-owner.ts';
import { startWalStream, type WalStream } from './receive-wal.ts';
import { watchLag } from './watch-lag.ts';
import type { LagFacts, LagWatchOptions } from './watch-lag.ts';
import { findPosition, type WalPosition } from './wal-position.ts';
import type { WalPiece, WalStore } from './wal-store.ts';

/** What is written reaches the target after at most this long and the time of one upload. */
const SHIP_EVERY_MS = 1_000;
const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 10_000;
/** A server that said nothing for longer, although it was asked every second, is not known to be quiet. */
const HEARD_WITHIN_MS = 5_000;
/**
 * A target that takes nothing for so long, while the buffers are full, is left alone: a connection that nobody reads from
 * would keep the server's checkpoints waiting, whose log then grows without a bound.
 */
const HELD_UP_MS = 30_000;

export interface ShipperLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

export interface WalShipperOptions extends LagWatchOptions {
  readonly databaseUrl: string;
  /** Of this target alone: lower case letters, digits and underscores. */
  readonly slot: string;
  /** The log of a server in the target; the server's number is known once it is reached. */
  readonly openStore: (systemId: string) => WalStore | Promise<WalStore>;
  readonly log: ShipperLog;
  readonly everyMs?: number;
  /** Full buffers that do not empty end the connection after so long. */
  readonly heldUpMs?: number;
  readonly nowMs?: () => number;
}

export interface WalStatus extends LagFacts {
  readonly slot: string;
  readonly connected: boolean;
  readonly systemId: string | null;
  readonly timeline: number | null;
  /** `null`: nothing yet. */
  readonly shippedLsn: string | null;
  /** Bytes received and not yet in the target. */
  readonly pendingBytes: number;
  /** Epoch ms since when the log in the target has a hole that only a new base backup closes; `null`: none seen. */
  readonly gapAtMs: number | null;
}

export interface WalShipper {
  /** Ships until the signal; reconnects by itself. Ends early, with a warning, where the server allows no replication. */
  run(signal: AbortSignal): Promise<void>;
  status(): WalStatus;
}

/**
 * Copies the write-ahead log of a server into one target as it is written, by streaming replication: second by second
 * in pieces, each full segment once more as one object, whose pieces are then removed. The slot makes the server keep
 * what the target does not have yet, up to its `max_slot_wal_keep_size`; this process holds 48 MB at most.
 */
export function createWalShipper(options: WalShipperOptions): WalShipper {
  const now = options.nowMs ?? Date.now;
  const state = createState(options.slot, now);
  return {
    status: state.status,
    async run(signal) {
      let waitMs = BACKOFF_FIRST_MS;
      const alarm = watchLag(options, state.status);
      try {
        while (!signal.aborted) {
          try {
            const end = await shipOnce(options, state, signal);
            waitMs = BACKOFF_FIRST_MS;
            if (end === 'heldUp') await pause(Math.min(options.heldUpMs ?? HELD_UP_MS, BACKOFF_MAX_MS), signal);
          } catch (error) {
            if (isAborted(signal)) break;
            if (isForbidden(error)) {
              state.failed(error);
              options.log.warn(
                { err: error, slot: options.slot },
                'the write-ahead log is not shipped: the database allows this user no replication',
              );
              return;
            }
            if (isTaken(error)) {
              // The first time only: it stays so as long as the other one lives.
              if (state.standBy()) options.log.info({ slot: options.slot }, 'another worker ships the write-ahead log');
              await pause(BACKOFF_MAX_MS, signal);
              continue;
            }
            if (state.wasConnected()) waitMs = BACKOFF_FIRST_MS;
            state.failed(error);
            options.log.warn(
              { err: error, slot: options.slot },
              'shipping of the write-ahead log stopped, trying again',
            );
            await pause(waitMs, signal);
            waitMs = Math.min(waitMs * 2, BACKOFF_MAX_MS);
          }
        }
      } finally {
        clearInterval(alarm);
        state.disconnected();
      }
    },
  };
}

/** Ends early at the signal. */
const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal, ref: false }).catch(() => undefined);

const isAborted = (signal: AbortSignal): boolean => signal.aborted;

type State = ReturnType<typeof createState>;

function createState(slot: string, now: () => number) {
  let caughtUpMs = now();
  let connected = false;
  let hadConnection = false;
  let position: { systemId: string; timeline: number; shipped: Lsn } | null = null;
  let pendingBytes = 0;
  let gapAtMs: number | null = null;
  let problem: string | null = null;
  let standby = false;
  return {
    connected(at: WalPosition): void {
      // What the other one left open counts from now on.
      if (standby) caughtUpMs = now();
      standby = false;
      connected = hadConnection = true;
      problem = null;
      position = at;
      if (at.gap) gapAtMs = now();
    },
    /** Whether there was one since this was last asked. */
    wasConnected(): boolean {
      const had = hadConnection;
      hadConnection = false;
      return had;
    },
    disconnected(): void {
      connected = false;
    },
    failed(error: unknown): void {
      connected = false;
      problem = error instanceof Error ? error.message : String(error);
    },
    /** Whether that is news. */
    standBy(): boolean {
      const before = standby;
      standby = true;
      connected = false;
      return !before;
    },
    late(error: unknown): void {
      problem = error instanceof Error ? error.message : String(error);
    },
    shipped(lsn: Lsn, received: Lsn): void {
      if (position !== null) position = { ...position, shipped: lsn };
      pendingBytes = Number(received - lsn);
    },
    caughtUp(): void {
      caughtUpMs = now();
      problem = null;
    },
    status: (): WalStatus => ({
      slot,
      connected,
      systemId: position?.systemId ?? null,
      timeline: position?.timeline ?? null,
      shippedLsn: position === null ? null : formatLsn(position.shipped),
      pendingBytes,
      lagSeconds: Math.max(0, (now() - caughtUpMs) / 1000),
      gapAtMs,
      problem,
      standby,
    }),
  };
}

/** One connection: until it ends, the server's timeline changes, or the signal. */
async function shipOnce(options: WalShipperOptions, state: State, signal: AbortSignal): Promise<'ended' | 'heldUp'> {
  const connection = await connectReplication(options.databaseUrl, `sluice-wal-${options.slot}`);
  const stop = (): void => void connection.close();
  signal.addEventListener('abort', stop);
  try {
    if (signal.aborted) return 'ended';
    const [system] = await connection.command('IDENTIFY_SYSTEM');
    const store = await options.openStore(system?.['systemid'] ?? '');
    await requireFreeSlot(connection, options.slot);
    const position = await findPosition(connection, store, options.slot);
    state.connected(position);
    const { slot, gap, timeline, shipped } = position;
    const where = { slot: slot.name, timeline, lsn: formatLsn(shipped) };
    if (gap) options.log.error(where, 'the server removed log that the target lacks: take a base backup now');
    else options.log.info(where, 'shipping the write-ahead log');
    const stream = startWalStream(connection, { slot: slot.name, from: position.from, timeline });
    return await pump(options, state, { stream, store, position }, signal);
  } finally {
    signal.removeEventListener('abort', stop);
    await connection.close();
  }
}

async function pump(
  options: WalShipperOptions,
  state: State,
  { stream, store, position }: { stream: WalStream; store: WalStore; position: WalPosition },
  signal: AbortSignal,
): Promise<'ended' | 'heldUp'> {
  const buffers = createSegmentBuffers(position.from, position.segmentBytes);
  const sender = createSender(store, position);
  const ended = new AbortController();
  const everyMs = options.everyMs ?? SHIP_EVERY_MS;
  const shipping = (async () => {
    while (!ended.signal.aborted) {
      await sleep(everyMs, undefined, { signal: ended.signal }).catch(() => undefined);
      await sender.ship(buffers, state, options.log);
      stream.confirm(sender.shipped());
      // Read after the confirmation went out: what came until then is in the target.
      const heard = Date.now() - stream.lastHeardMs() < HEARD_WITHIN_MS;
      if (heard && sender.shipped() === buffers.received()) state.caughtUp();
    }
  })();
  try {
    for (let chunk = await stream.take(); chunk !== null; chunk = await stream.take()) {
      // Repeats what is in the target already only to put whole segments together.
      buffers.add(chunk);
      let at = { shipped: sender.shipped(), sinceMs: performance.now() };
      while (buffers.isFull() && !signal.aborted) {
        await sleep(everyMs / 4);
        if (sender.shipped() !== at.shipped) at = { shipped: sender.shipped(), sinceMs: performance.now() };
        if (performance.now() - at.sinceMs > (options.heldUpMs ?? HELD_UP_MS)) return 'heldUp';
      }
    }
    return 'ended';
  } finally {
    ended.abort();
    await shipping;
  }
}

/** Moves parts into the target, in order. A failure leaves the rest for the next call. */
function createSender(store: WalStore, position: WalPosition) {
  const { timeline } = position;
  let { shipped } = position;
  let begun: WalPiece[] = [...position.begun];
  const put = async (part: SegmentPart): Promise<void> => {
    const { segment, start, end, bytes, atMs, whole } = part;
    if (whole === null) {
      const piece = { timeline, start, end, atMs };
      await store.put(piece, bytes);
      begun.push(piece);
    } else {
      await store.put({ timeline, start: segment, end, atMs }, whole);
      const replaced = begun;
      begun = [];
      // A piece that stays is harmless: the whole segment is preferred. Where a lock keeps the first, it keeps the others.
      const [first, ...others] = replaced;
      if (first === undefined || !(await unlessRefused(() => store.remove(first)).catch(() => true))) return;
      await Promise.all(others.map((piece) => store.remove(piece).catch(() => undefined)));
    }
  };
  return {
    shipped: () => shipped,
    async ship(buffers: ReturnType<typeof createSegmentBuffers>, state: State, log: ShipperLog): Promise<void> {
      // While the beginning of a segment is repeated, nothing is new.
      for (let part = buffers.next(shipped); part !== null; part = buffers.next(shipped)) {
        try {
          await put(part);
        } catch (error) {
          state.late(error);
          log.warn(
            { err: error, lsn: formatLsn(shipped) },
            'a piece of the write-ahead log was not stored, trying again',
          );
          break;
        }
        shipped = part.end;
        if (part.whole !== null) buffers.release(part.segment);
        state.shipped(shipped, buffers.received());
      }
      state.shipped(shipped, buffers.received() > shipped ? buffers.received() : shipped);
    },
  };
}
