import { Context } from '@temporalio/activity';
import type { RecoveryStore } from '../db/recovery-store.ts';
import { DomainError } from '../domain/errors.ts';
import { runDrill } from '../recovery/drill/run-drill.ts';
import { parseWish } from '../recovery/restore/parse-wish.ts';
import { previewRestore } from '../recovery/restore/restore-and-check.ts';
import { discardStaged, stageRestore, sweepRestore } from '../recovery/restore/restore-platform.ts';
import type { RestoreTarget } from '../recovery/restore/restore-target.ts';
import type { DrillActivities, Reconciled, RestoreActivities } from './restore-contract.ts';

/** Well under the heartbeat timeouts of the workflows. */
const BEAT_EVERY_MS = 3_000;
/** The supervisor starts the database again half a second after it ended; replaying nothing takes no time. */
const SWAP_TIMEOUT_MS = 60_000;
const SWAP_POLL_MS = 250;

export interface RestoreDeps {
  readonly home: string;
  readonly artefactDir: string;
  readonly recovery: RecoveryStore;
  /** @throws DomainError `fenced` where another region owns the epoch */
  readonly requireLease: () => Promise<void>;
  /** By name; `null`: the first. @throws DomainError `refused` when none is configured */
  readonly openTarget: (name: string | null) => Promise<RestoreTarget>;
  /** Ends the database that the supervisor keeps running. @throws DomainError `refused` when it is not ours */
  readonly stopDatabase: () => Promise<void>;
  /** Ends workflows that write to the registry, apart from one; returns their ids. */
  readonly terminateWriters: (keep: string, reason: string) => Promise<readonly string[]>;
  /** Makes the schedules again that a set knows and Temporal does not; returns their ids. */
  readonly recreateSchedules: (target: RestoreTarget, setId: string) => Promise<readonly string[]>;
}

/** Restores and drills, as Temporal runs them; the command line calls the same functions. */
export function createRestoreActivities(deps: RestoreDeps): RestoreActivities & DrillActivities {
  const { recovery, home, artefactDir } = deps;
  return {
    previewRestore: async ({ target, to }) => {
      await deps.requireLease();
      const opened = await deps.openTarget(target);
      const { plan, windows } = await previewRestore({ target: opened, wish: parseWish(to) });
      const newestAt = new Date(plan.window.toMs).toISOString();
      return { target: opened.address, setId: plan.setId, timeline: plan.timeline, newestAt, windows };
    },
    fencePlatform: async ({ reason, by }) => {
      await deps.requireLease();
      const { epoch, state } = await recovery.epoch();
      if (state === 'active') await recovery.fence(epoch, by, reason);
      return { epoch };
    },
    liftFence: async ({ epoch, reason, by }) => {
      // First: the database is written again from then on, and its next start must not take a copy from before.
      discardStaged(home);
      await recovery.liftFence(epoch, by, reason);
      // Room and a server, no danger: what cannot be removed now, the next restore removes.
      await sweepRestore(home).catch(() => undefined);
    },
    stageRestore: ({ target, to, epochAbove, by, restoreId }) =>
      beating(async (signal, beat) => {
        const opened = await deps.openTarget(target);
        const wish = parseWish(to);
        return stageRestore({
          target: opened,
          wish,
          home,
          artefactDir,
          epochAbove,
          by,
          restoreId,
          signal,
          onProgress: beat,
        });
      }),
    takeOver: (input) => beating(() => takeOver(deps, input)),
    runDrill: ({ target, drillId }) =>
      beating(async (signal, beat) =>
        runDrill({ target: await deps.openTarget(target), home, record: recovery, drillId, signal, onProgress: beat }),
      ),
  };
}

async function takeOver(deps: RestoreDeps, input: Parameters<RestoreActivities['takeOver']>[0]): Promise<Reconciled> {
  const notes: string[] = [];
  const terminated = await deps.terminateWriters(input.keep, `the platform is restored to epoch ${input.epoch}`);
  const before = await epochOf(deps.recovery);
  // A retry after the swap finds the new epoch and does not stop the database again.
  if (before !== input.epoch) await deps.stopDatabase();
  const deadline = Date.now() + SWAP_TIMEOUT_MS;
  while ((await epochOf(deps.recovery)) !== input.epoch) {
    if (Date.now() > deadline)
      throw new DomainError('unavailable', `The restored database does not answer in epoch ${input.epoch}`);
    await new Promise((resolve) => setTimeout(resolve, SWAP_POLL_MS));
  }
  const schedules = await deps
    .recreateSchedules(await deps.openTarget(input.target), input.setId)
    .catch((error: unknown) => {
      notes.push(`schedules were not made again: ${error instanceof Error ? error.message : String(error)}`);
      return [];
    });
  return { terminated, schedules, notes };
}

async function epochOf(recovery: RecoveryStore): Promise<number | null> {
  return recovery.epoch().then(
    ({ epoch }) => epoch,
    () => null,
  );
}

/** Long work with a heartbeat that carries its last progress, stopped when Temporal or the worker says so. */
async function beating<T>(work: (signal: AbortSignal, beat: (progress: unknown) => void) => Promise<T>): Promise<T> {
  const context = Context.current();
  let last: unknown = null;
  const beat = (progress: unknown): void => {
    last = progress;
  };
  const timer = setInterval(() => context.heartbeat(last), BEAT_EVERY_MS);
  context.heartbeat(last);
  try {
    return await work(context.cancellationSignal, beat);
  } catch (error) {
    if (!context.cancellationSignal.aborted) throw error;
    const { reason } = context.cancellationSignal as { reason?: unknown };
    const shutdown = reason instanceof Error && reason.message === 'WORKER_SHUTDOWN';
    if (shutdown) throw new DomainError('unavailable', 'The worker that did this was stopped');
    return await context.cancelled;
  } finally {
    clearInterval(timer);
  }
}
