import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFolderArtefactStore } from '../../adapters/folder-artefact-store.ts';
import { DomainError } from '../../domain/errors.ts';
import type { BackupManifest } from '../../domain/recovery/manifest.ts';
import { DATABASE_USER, postgresBase } from '../../infra/embedded/postgres-cluster.ts';
import { formatLsn, type Lsn } from '../postgres/lsn.ts';
import { referencedArtefacts } from '../restore/check-restored.ts';
import { fetchArtefacts } from '../restore/fetch-artefacts.ts';
import type { RestoreTarget } from '../restore/restore-target.ts';
import { handOverCopy, readPromotedAt, rememberPromotion } from './promoted-copy.ts';
import { startStandbyServer, type StandbyServer } from './standby-server.ts';
import { openCopy, readOrigin, seedCopy, type WarmCopy } from './warm-copy.ts';

/** Two listings a second of what is new cost little; the log is shipped every second. */
const FETCH_EVERY_MS = 1_000;
const RETRY_MS = 2_000;
const ARTEFACTS_EVERY_MS = 15_000;
/** A piece is replaced by its whole segment within moments: a hole that stays for longer is one. */
const HOLE_STAYS_MS = 60_000;
const CATCH_UP_POLL_MS = 100;

export interface StandbyStatus {
  readonly phase: 'seeding' | 'following' | 'promoted' | 'stopped';
  readonly setId: string | null;
  readonly replayedLsn: string | null;
  /** End of the log that was fetched. */
  readonly fetchedLsn: string | null;
  /** Seconds since everything that the target had was replayed here. */
  readonly lagSeconds: number | null;
  readonly artefactsMissing: number | null;
  readonly problem: string | null;
}

export interface PromotedDatabase {
  readonly databaseUrl: string;
  readonly set: BackupManifest;
  readonly reachedLsn: string;
  readonly fetchedLsn: string;
  /** Bytes at the end that hold no whole record. */
  readonly cutOffBytes: number;
}

/** A copy of another region's platform that is kept up with its target, and can take its place. */
export interface Standby {
  /** Follows until the signal or the promotion; tries again by itself whatever fails. */
  follow(signal: AbortSignal): Promise<void>;
  status(): StandbyStatus;
  /** Replays everything that is there, up to `untilLsn` at least where that can be had, and opens the database. Again: the same. */
  promote(untilLsn: Lsn | null, signal: AbortSignal): Promise<PromotedDatabase>;
  /** Stops the promoted database and puts it where the platform of this home starts it. Again: nothing. */
  handOver(): Promise<void>;
  stop(): Promise<void>;
}

export interface StandbyOptions {
  readonly home: string;
  readonly artefactDir: string;
  readonly openTarget: () => Promise<RestoreTarget>;
  /** Whether another region owns the newest epoch: what was promoted here before is void. */
  readonly isTakenOver: () => Promise<boolean>;
  readonly log: { info(details: object, message: string): void; warn(details: object, message: string): void };
}

interface Running {
  readonly target: RestoreTarget;
  readonly server: StandbyServer;
  readonly copy: WarmCopy;
  readonly set: BackupManifest;
}

export function createStandby(options: StandbyOptions): Standby {
  const { home, log } = options;
  const { base } = postgresBase(home);
  const dataDir = join(base, 'data.standby');
  const scratchDir = join(base, 'standby');
  const place = { dataDir, scratchDir, databaseUser: DATABASE_USER, database: 'sluice' };
  let running: Running | null = null;
  let following: Promise<void> = Promise.resolve();
  let halt = new AbortController();
  let status: StandbyStatus = EMPTY;
  const tell = (part: Partial<StandbyStatus>): void => void (status = { ...status, ...part });

  const begin = async (signal: AbortSignal): Promise<Running> => {
    if (running !== null && !running.server.hasExited()) return running;
    await running?.server.stop();
    const target = await options.openTarget();
    if (!existsSync(dataDir)) {
      tell({ phase: 'seeding' });
      const { setId } = await seedCopy(target, dataDir, signal);
      log.info({ setId }, 'the standby has a copy of the database');
    }
    const server = await startStandbyServer(place, signal);
    try {
      running = await attach(target, server, dataDir);
      tell({ phase: 'following', setId: running.copy.origin.setId, problem: null });
      return running;
    } catch (error) {
      await server.stop();
      throw error;
    }
  };
  const seedAgain = async (why: string): Promise<void> => {
    log.warn({ why }, 'the copy of the database is made anew');
    await running?.server.stop();
    running = null;
    rmSync(dataDir, { recursive: true, force: true });
  };

  return {
    status: () => status,
    follow(signal) {
      halt = new AbortController();
      const either = AbortSignal.any([signal, halt.signal]);
      following = keepUp({ options, begin, seedAgain, tell, signal: either });
      return following;
    },
    async promote(untilLsn, signal) {
      halt.abort();
      await following;
      const promoted = await promoteCopy(await begin(signal), dataDir, untilLsn, signal);
      tell({ phase: 'promoted' });
      return promoted;
    },
    async handOver() {
      halt.abort();
      await following;
      await running?.server.stop();
      running = null;
      handOverCopy(base, dataDir);
    },
    async stop() {
      halt.abort();
      await following;
      await running?.server.stop();
      running = null;
      tell({ phase: 'stopped' });
    },
  };
}

const EMPTY: StandbyStatus = {
  phase: 'seeding',
  setId: null,
  replayedLsn: null,
  fetchedLsn: null,
  lagSeconds: null,
  artefactsMissing: null,
  problem: null,
};

async function attach(target: RestoreTarget, server: StandbyServer, dataDir: string): Promise<Running> {
  const origin = readOrigin(dataDir);
  const replayed = await server.replayed();
  const copy = openCopy(dataDir, origin, await target.wal(origin.systemId), replayed?.lsn ?? null);
  const sets = await target.sets();
  // Retention may have let go of the one it began with: any set opens the artefacts of its server.
  const set = sets.find((one) => one.setId === origin.setId) ?? sets.at(-1);
  if (set === undefined) throw new DomainError('notFound', `${target.address} holds no set any more`);
  return { target, server, copy, set };
}

/** The recovery ends when everything that is there is replayed. */
async function promoteCopy(
  now: Running,
  dataDir: string,
  untilLsn: Lsn | null,
  signal: AbortSignal,
): Promise<PromotedDatabase> {
  const { databaseUrl } = now.server;
  await catchUp(now, untilLsn, signal);
  const replayed = await now.server.replayed();
  if (replayed !== null) {
    const unread = await now.copy.unread(replayed.lsn);
    const reachedLsn = formatLsn(replayed.lsn);
    if (unread === null)
      throw new DomainError(
        'artefactCorrupt',
        `The log is damaged after ${reachedLsn}: what follows cannot be replayed`,
      );
    // Written first: a server that was promoted does not know any more what it had replayed.
    rememberPromotion(dataDir, { reachedLsn, fetchedLsn: formatLsn(now.copy.fetchedLsn()), cutOffBytes: unread });
    await now.server.promote();
  }
  return { databaseUrl, set: now.set, ...readPromotedAt(dataDir) };
}

interface KeepUpOptions {
  readonly options: StandbyOptions;
  readonly begin: (signal: AbortSignal) => Promise<Running>;
  readonly seedAgain: (why: string) => Promise<void>;
  readonly tell: (part: Partial<StandbyStatus>) => void;
  readonly signal: AbortSignal;
}

async function keepUp({ options, begin, seedAgain, tell, signal }: KeepUpOptions): Promise<void> {
  let currentAtMs: number | null = null;
  let holeSinceMs: number | null = null;
  let artefactsAtMs = 0;
  while (!signal.aborted) {
    let waitMs = FETCH_EVERY_MS;
    try {
      const { server, copy, target, set } = await begin(signal);
      if ((await server.replayed()) === null) {
        // A failover that was broken off goes on with it, unless another region has taken over since.
        if (await options.isTakenOver()) {
          await seedAgain('it was promoted in an epoch that is over');
          continue;
        }
        throw new DomainError('conflict', 'the copy of the database was promoted: its failover has to go on');
      }
      const askedAtMs = Date.now();
      const { hole, newer } = await copy.fetch();
      holeSinceMs = hole ? (holeSinceMs ?? askedAtMs) : null;
      const replayed = await server.replayed();
      if (newer) await seedAgain('the other region was restored to a new timeline');
      else if (holeSinceMs !== null && askedAtMs - holeSinceMs > HOLE_STAYS_MS)
        await seedAgain('log is missing from the target');
      else if (replayed !== null) {
        const level = (await copy.unread(replayed.lsn)) !== null;
        if (level && !hole) currentAtMs = askedAtMs;
        const lagSeconds = currentAtMs === null ? null : Math.max(0, (Date.now() - currentAtMs) / 1000);
        tell({
          replayedLsn: formatLsn(replayed.lsn),
          fetchedLsn: formatLsn(copy.fetchedLsn()),
          lagSeconds,
          problem: null,
        });
        if (askedAtMs - artefactsAtMs > ARTEFACTS_EVERY_MS) {
          artefactsAtMs = askedAtMs;
          tell({
            artefactsMissing: await fetchNewArtefacts(
              options,
              { target, set, databaseUrl: server.databaseUrl },
              signal,
            ),
          });
        }
      }
    } catch (error) {
      if (isAborted(signal)) break;
      const problem = error instanceof Error ? error.message : String(error);
      tell({ problem, lagSeconds: currentAtMs === null ? null : (Date.now() - currentAtMs) / 1000 });
      options.log.warn({ err: error }, 'the standby does not keep up, trying again');
      waitMs = RETRY_MS;
    }
    await sleep(waitMs, undefined, { signal }).catch(() => undefined);
  }
}

const isAborted = (signal: AbortSignal): boolean => signal.aborted;

/** @returns how many the target does not have yet: they are shipped within a minute of the row that names them */
async function fetchNewArtefacts(
  { artefactDir, home }: StandbyOptions,
  from: { readonly target: RestoreTarget; readonly set: BackupManifest; readonly databaseUrl: string },
  signal: AbortSignal,
): Promise<number> {
  const store = createFolderArtefactStore(artefactDir);
  const referenced = await referencedArtefacts(from.databaseUrl);
  const scratchDir = join(home, 'region', 'artefacts');
  try {
    await fetchArtefacts({ ...from, store, referenced, manifests: referenced.manifests, scratchDir, signal });
    return 0;
  } catch (error) {
    if (error instanceof DomainError && error.code === 'artefactCorrupt') return error.problems.length;
    throw error;
  }
}

/** Until nothing new is in the target, and everything that has come is replayed. */
async function catchUp({ server, copy }: Running, untilLsn: Lsn | null, signal: AbortSignal): Promise<void> {
  // The last piece of an owner that stopped in order may be on its way.
  const giveUpMs = Date.now() + (untilLsn === null ? 0 : CATCH_UP_WAIT_MS);
  for (;;) {
    signal.throwIfAborted();
    const replayed = await server.replayed();
    if (replayed === null) return;
    const { pieces } = await copy.fetch();
    const whole = untilLsn === null || copy.fetchedLsn() >= untilLsn || Date.now() > giveUpMs;
    const stuckMs = Date.now() - giveUpMs;
    if (pieces === 0 && whole) {
      const unread = await copy.unread(replayed.lsn);
      // A record that stays unread is damage: the caller says so.
      if (unread !== null || stuckMs > REPLAY_WAIT_MS) return;
    }
    await sleep(CATCH_UP_POLL_MS);
  }
}

const CATCH_UP_WAIT_MS = 20_000;
/** Log that has been fetched and is not replayed in this time is not readable. */
const REPLAY_WAIT_MS = 60_000;
