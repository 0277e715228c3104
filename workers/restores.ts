/** Restores and drills of this platform: the parts their activities need, and the weekly drill. */
import { ScheduleAlreadyRunning, type ScheduleOptions } from '@temporalio/client';
import { withFailures } from '../activities/failures.ts';
import { createRestoreActivities, type RestoreDeps } from '../activities/restore-activities.ts';
import type { DrillActivities, RestoreActivities } from '../activities/restore-contract.ts';
import type { Config } from '../adapters/config.ts';
import type { Logger } from '../adapters/logger.ts';
import { openObjectStore } from '../adapters/object-stores/open-object-store.ts';
import type { TemporalClient } from '../adapters/temporal-client.ts';
import { createDatabase } from '../db/connect.ts';
import { createRecoveryStore, type DrillRow } from '../db/recovery-store.ts';
import { DomainError } from '../domain/errors.ts';
import { requireDrill } from '../recovery/drill/require-drill.ts';
import { loadVaultKeys } from '../recovery/vault/vault-keys.ts';
import { createVaultTarget } from '../recovery/vault/vault-target.ts';
import { ensureDrillSchedule, stopEmbeddedDatabase, terminateWriters } from './recovery-deps.ts';

export interface RestoresOptions {
  readonly config: Config;
  readonly databaseUrl: string;
  readonly temporal: TemporalClient;
  /** @throws DomainError `fenced` where another region owns the epoch */
  readonly requireLease: () => Promise<void>;
  readonly log: Logger;
}

export interface Restores {
  readonly activities: RestoreActivities & DrillActivities;
  /** Makes the schedule of drills. */
  readonly start: () => void;
  /** The newest ones, newest first. */
  readonly drills: () => Promise<readonly DrillRow[]>;
  /** Whether drills are made here: a worker without an identity can write sealed backups and not read them. */
  readonly drilled: boolean;
  /** @throws DomainError `refused` where a rollout needs a drill first */
  readonly requireDrill: () => Promise<void>;
  readonly close: () => Promise<void>;
}

export function createRestores(options: RestoresOptions): Restores {
  const { config, databaseUrl, temporal, requireLease, log } = options;
  const database = createDatabase(databaseUrl, { applicationName: 'sluice-recovery', poolConnectionsMax: 2 });
  const recovery = createRecoveryStore(database);
  const readable = config.backup.keys.recipients.length === 0 || config.backup.keys.identityFile !== null;
  const drilled = config.backup.targets.length > 0 && readable;
  const activities = createRestoreActivities({
    home: config.home,
    artefactDir: config.artefactDir,
    recovery,
    requireLease,
    openTarget: targetOpener(config),
    stopDatabase: stopEmbeddedDatabase(config.home),
    terminateWriters: terminateWriters(temporal),
    recreateSchedules: recreateSchedules(temporal),
  });
  return {
    activities: withFailures<RestoreActivities & DrillActivities>(activities),
    start: () => {
      if (!drilled) return;
      ensureDrillSchedule(temporal, config.taskQueue).catch((error: unknown) => {
        log.warn({ err: error }, 'the schedule of drills cannot be made, it is as it was');
      });
    },
    drills: () => recovery.drills(5),
    drilled,
    requireDrill: async () => {
      const { rolloutDrillDays: maxDays } = config;
      if (maxDays !== null) await requireDrill(recovery, { maxDays, nowMs: Date.now() });
    },
    close: () => database.close(),
  };
}

function targetOpener({ backup }: Config): RestoreDeps['openTarget'] {
  return async (name) => {
    const target = name === null ? backup.targets[0] : backup.targets.find((one) => one.name === name);
    if (target === undefined) {
      throw new DomainError(
        'refused',
        name === null ? 'No backup target is configured' : `No target is called ${name}`,
        [{ field: 'target', message: 'is not configured', allowed: backup.targets.map((one) => one.name) }],
      );
    }
    return createVaultTarget(await openObjectStore(target, backup.credentials), await loadVaultKeys(backup.keys));
  };
}

/** Those of the set that are not there; what somebody made since stays as it is. */
function recreateSchedules(temporal: TemporalClient): RestoreDeps['recreateSchedules'] {
  return async (target, setId) => {
    const set = (await target.sets()).find((one) => one.setId === setId);
    const made: string[] = [];
    for (const { id, description, paused, note } of set?.temporal.schedules ?? []) {
      const options = { ...description, scheduleId: id, state: { paused, note } } as unknown as ScheduleOptions;
      try {
        await temporal.call((client) => client.schedule.create(options));
        made.push(id);
      } catch (error) {
        if (!(error instanceof ScheduleAlreadyRunning)) throw error;
      }
    }
    return made;
  };
}
