/** Looks after backups between runs: writes down where they stand, and raises an alarm when an objective is missed. */
import type { Logger } from '../adapters/logger.ts';
import { writeRecoveryStatus, type RecoveryStatus } from '../adapters/recovery-status.ts';
import type { DrillRow } from '../db/recovery-store.ts';
import { DEFAULT_OBJECTIVES, missedObjectives } from '../domain/recovery/objectives.ts';
import { logMissing } from '../domain/recovery/log-state.ts';
import type { Backups } from './backups.ts';
import type { VerifiedSets } from './verified-sets.ts';

/** The lag of the log is known this fresh. */
const EVERY_MS = 10_000;
/** Listing a store costs money: sets are looked at every so many rounds, ten minutes. */
const SETS_EVERY_ROUNDS = 60;
const OBJECTIVES_TEXT = {
  setAge: 'there is no verified backup of the last 36 hours: run sluice backup now',
  dataLoss: 'more than an hour of writes would be lost: the write-ahead log does not reach the target',
  drillAge: 'no recovery drill passed in the last 8 days: look at the schedule recovery-drill',
  restoreTime: 'the last drill took longer than 15 minutes to restore',
} as const;

export interface WatchRecoveryOptions {
  readonly home: string;
  readonly backups: Pick<Backups, 'shipping' | 'verifiedSets' | 'logState'>;
  /** The newest drills, newest first. */
  readonly drills: () => Promise<readonly DrillRow[]>;
  /** Drills can run here: their age counts. */
  readonly drilled: boolean;
  readonly log: Logger;
}

/** Runs until the signal. */
export function watchRecovery(options: WatchRecoveryOptions, stopped: AbortSignal): void {
  const startedAtMs = Date.now();
  let verified: ReadonlyMap<string, VerifiedSets> = new Map();
  let drills: readonly DrillRow[] = [];
  let round = 0;
  let busy = false;
  const alarms = new Set<string>();
  const look = async (): Promise<void> => {
    if (round++ % SETS_EVERY_ROUNDS === 0) verified = await options.backups.verifiedSets();
    drills = await options.drills().catch(() => drills);
    const status = describe(options, verified, drills);
    raiseAlarms(options, status, startedAtMs, alarms);
    // Another worker of this home ships and knows better.
    if (!options.backups.shipping().some(({ standby }) => standby)) await writeRecoveryStatus(options.home, status);
  };
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    look()
      .catch((error: unknown) => options.log.warn({ err: error }, 'where backups stand could not be written down'))
      .finally(() => {
        busy = false;
      });
  }, EVERY_MS);
  timer.unref();
  stopped.addEventListener('abort', () => clearInterval(timer));
}

function describe(
  { backups }: WatchRecoveryOptions,
  verified: ReadonlyMap<string, VerifiedSets>,
  drills: readonly DrillRow[],
): RecoveryStatus {
  const shipping = new Map(backups.shipping().map((one) => [one.target, one]));
  const drill = drills.find(({ finishedAt }) => finishedAt !== null);
  return {
    atMs: Date.now(),
    targets: [...verified].map(([name, { newestMs, complete, problem }]) => {
      const wal = shipping.get(name);
      return {
        name,
        newestVerifiedMs: newestMs,
        verified: complete,
        walLagSeconds: wal?.lagSeconds ?? null,
        problem: problem ?? wal?.problem ?? null,
      };
    }),
    log: backups.logState(),
    drill:
      drill?.finishedAt == null
        ? null
        : {
            finishedAtMs: drill.finishedAt.getTime(),
            passed: drill.outcome === 'passed',
            restoreMs: drill.restoreMs,
            lossMs: drill.lossMs,
            setId: drill.setId,
          },
  };
}

/** Each alarm once when it begins and once when it ends. A young platform is given the time an old one has. */
function raiseAlarms(
  { log, drilled }: WatchRecoveryOptions,
  status: RecoveryStatus,
  startedAtMs: number,
  alarms: Set<string>,
): void {
  const now = new Set<string>();
  const { drill } = status;
  const missing = logMissing(status.log);
  if (missing !== null) {
    const key = `every target log ${String(status.log)}`;
    now.add(key);
    if (!alarms.has(key)) log.error({ objective: 'dataLoss', state: status.log }, missing);
  }
  for (const { name, newestVerifiedMs, walLagSeconds } of status.targets) {
    const missed = missedObjectives(
      {
        nowMs: status.atMs,
        newestVerifiedSetMs: newestVerifiedMs ?? startedAtMs,
        lastShippedWalMs: status.atMs - (walLagSeconds ?? 0) * 1000,
        walShipped: walLagSeconds !== null,
        lastGoodDrillMs: !drilled ? status.atMs : drill?.passed === true ? drill.finishedAtMs : startedAtMs,
        lastDrillRestoreMs: drill?.restoreMs ?? null,
      },
      // Without the log, a set a day is what was asked for.
      walLagSeconds === null
        ? { ...DEFAULT_OBJECTIVES, dataLossMaxMs: DEFAULT_OBJECTIVES.setAgeMaxMs }
        : DEFAULT_OBJECTIVES,
    );
    for (const { objective, ageMs } of missed) {
      const key = `${name} ${objective}`;
      now.add(key);
      if (!alarms.has(key)) log.error({ target: name, objective, ageMs }, OBJECTIVES_TEXT[objective]);
    }
  }
  for (const key of alarms) if (!now.has(key)) log.info({ objective: key }, 'the objective of recovery is met again');
  alarms.clear();
  for (const key of now) alarms.add(key);
}
