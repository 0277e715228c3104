/** Backups of this platform: the parts their activities need, their schedule, and the log that is shipped meanwhile. */
import { ScheduleAlreadyRunning, ScheduleOverlapPolicy, type ScheduleOptions } from '@temporalio/client';
import { join } from 'node:path';
import { createBackupActivities, type BackupDeps } from '../activities/backup-activities.ts';
import type { BackupActivities } from '../activities/backup-contract.ts';
import { withFailures } from '../activities/failures.ts';
import type { WalShipper, WalStatus } from '../recovery/postgres/ship-wal.ts';
import { codeCommit } from '../adapters/code-commit.ts';
import type { Config } from '../adapters/config.ts';
import type { Logger } from '../adapters/logger.ts';
import { openObjectStore } from '../adapters/object-stores/open-object-store.ts';
import type { TemporalClient } from '../adapters/temporal-client.ts';
import type { ArtefactStore } from '../domain/artefacts.ts';
import type { LogState } from '../domain/recovery/log-state.ts';
import type { TemporalFacts } from '../domain/recovery/manifest.ts';
import { loadVaultKeys, type VaultKeys } from '../recovery/vault/vault-keys.ts';
import { createVaultTarget } from '../recovery/vault/vault-target.ts';
import { takeFirstSet } from './first-set.ts';
import { askForReplication, startShipping } from './ship-continuously.ts';
import { readVerifiedSets, type VerifiedSets } from './verified-sets.ts';
import { BACKUP_SCHEDULE_ID, BACKUP_WORKFLOW_ID, WORKFLOWS } from '../workflows/messages.ts';

/** Runs that a stopped platform missed are made up for once it is back, the newest of them at least. */
const CATCH_UP = '1 day';
const JITTER = '10 minutes';
/** Running workflows that a manifest lists. */
const RUNNING_MAX = 10_000;

export interface BackupsOptions {
  readonly config: Config;
  readonly databaseUrl: string;
  readonly artefacts: ArtefactStore;
  /** @throws DomainError `fenced` where another region owns the epoch */
  readonly requireLease: () => Promise<void>;
  readonly temporal: TemporalClient;
  readonly log: Logger;
}

export interface Backups {
  readonly activities: BackupActivities;
  /** Makes the schedule, and ships log and artefacts to each target until the signal. Never throws. */
  readonly start: (stopped: AbortSignal) => void;
  /** One entry for each target that the log is shipped to. */
  readonly shipping: () => readonly (WalStatus & { readonly target: string })[];
  /** `null`: not known yet. */
  readonly logState: () => LogState | null;
  /** Of each target. */
  readonly verifiedSets: () => Promise<ReadonlyMap<string, VerifiedSets>>;
}

export function createBackups(options: BackupsOptions): Backups {
  const { config, temporal, log } = options;
  const deps = createBackupDeps(options);
  const shippers = new Map<string, WalShipper>();
  let logState: LogState | null = null;
  const onLogState = (state: LogState): void => void (logState = state);
  return {
    activities: withFailures<BackupActivities>(createBackupActivities(deps)),
    start: (stopped) => {
      const { databaseUrl } = options;
      const ready = config.backup.targets.length === 0 ? Promise.resolve(null) : askForReplication(databaseUrl, log);
      const begin = async (): Promise<void> => {
        const terms = await ready;
        await ensureBackupSchedule(config, temporal);
        if (config.backup.schedule !== null && config.backup.targets.length > 0) {
          takeFirstSet({ temporal, log, verifiedSets: () => readVerifiedSets(deps.targets) }, stopped);
        }
        if (terms === null) return;
        await startShipping({ config, databaseUrl, deps, terms, log, shippers, onLogState }, stopped);
      };
      begin().catch((error: unknown) => {
        if (config.backup.shipLog !== 'off') onLogState('failed');
        log.warn({ err: error }, 'backups are not scheduled and shipped as configured: it is tried at the next start');
      });
    },
    shipping: () => [...shippers].map(([target, shipper]) => ({ target, ...shipper.status() })),
    logState: () => logState,
    verifiedSets: () => readVerifiedSets(deps.targets),
  };
}

/** Keys and targets are opened at the first use: a wrong setting fails backups, not the worker. */
function createBackupDeps(options: BackupsOptions): BackupDeps {
  const { config, databaseUrl, artefacts, requireLease, temporal, log } = options;
  const { backup } = config;
  let keys: Promise<VaultKeys> | null = null;
  const loadKeys = (): Promise<VaultKeys> =>
    (keys ??= loadVaultKeys(backup.keys).catch((error: unknown) => {
      keys = null;
      throw error;
    }));
  return {
    databaseUrl,
    artefacts,
    stagingDir: backup.stagingDir,
    rateMaxBytes: backup.rateMaxBytes,
    logDir: join(config.home, 'logs'),
    sealingKeyPath: config.webhooks.sealingKey === null ? config.webhooks.sealingKeyPath : null,
    retention: backup.retention,
    softwareVersion: codeCommit(),
    settings: {
      taskQueue: config.taskQueue,
      temporalNamespace: config.temporalNamespace,
      host: config.host,
      port: config.port,
    },
    keys: loadKeys,
    targets: async () => {
      const opened = await Promise.all(
        backup.targets.map(async (target) => {
          const store = await openObjectStore(target, backup.credentials);
          return [target.name, { target, vault: createVaultTarget(store, await loadKeys(), target.lockDays) }] as const;
        }),
      );
      return new Map(opened);
    },
    temporalFacts: () => readTemporalFacts(temporal, config.temporalNamespace),
    nowMs: Date.now,
    requireLease,
    onLogical: (setId, reason) =>
      log.warn({ setId, reason }, 'this set is a logical copy: it restores to its own moment only'),
    onVerified: (target, setId, ok) => {
      if (ok) log.info({ target, setId }, 'the backup is verified');
      else log.error({ target, setId }, 'the backup is damaged: take another one, and look at the target');
    },
  };
}

async function readTemporalFacts(temporal: TemporalClient, namespace: string): Promise<TemporalFacts> {
  return temporal.call(async (client) => {
    const schedules: TemporalFacts['schedules'][number][] = [];
    for await (const schedule of client.schedule.list()) {
      const { action, spec, policies, state } = await client.schedule.getHandle(schedule.scheduleId).describe();
      const description = JSON.parse(JSON.stringify({ action, spec, policies })) as Record<string, unknown>;
      schedules.push({ id: schedule.scheduleId, paused: state.paused, note: state.note ?? '', description });
    }
    const running: TemporalFacts['running'][number][] = [];
    for await (const run of client.workflow.list({ query: `ExecutionStatus = 'Running'` })) {
      running.push({
        workflowId: run.workflowId,
        runId: run.runId,
        type: run.type,
        startedAt: run.startTime.toISOString(),
      });
      if (running.length >= RUNNING_MAX) break;
    }
    return { namespace, schedules, running };
  }, 60_000);
}

/** Makes the schedule what the configuration says; one that a person paused stays paused. */
async function ensureBackupSchedule(config: Config, temporal: TemporalClient): Promise<void> {
  const { backup, taskQueue } = config;
  const { schedule } = backup;
  await temporal.call(async (client) => {
    const handle = client.schedule.getHandle(BACKUP_SCHEDULE_ID);
    if (schedule === null || backup.targets.length === 0) {
      await handle.delete().catch(() => undefined);
      return;
    }
    const options = scheduleOptions(schedule, taskQueue);
    try {
      await client.schedule.create(options);
    } catch (error) {
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
      const { spec, action, policies } = options;
      await handle.update((previous) => ({
        state: previous.state,
        spec,
        action,
        ...(policies === undefined ? {} : { policies }),
      }));
    }
  });
}

function scheduleOptions(cron: string, taskQueue: string): ScheduleOptions {
  return {
    scheduleId: BACKUP_SCHEDULE_ID,
    spec: { cronExpressions: [cron], jitter: JITTER },
    action: {
      type: 'startWorkflow',
      workflowType: WORKFLOWS.backup,
      workflowId: BACKUP_WORKFLOW_ID,
      taskQueue,
      args: [{ requestedBy: 'schedule' }],
    },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: CATCH_UP, pauseOnFailure: true },
  };
}
