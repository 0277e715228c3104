import { resolve } from 'node:path';
import { z } from 'zod';
import { DomainError } from '../domain/errors.ts';
import { readBackupConfig, type BackupConfig } from './backup-config.ts';
import { readRegionConfig, type RegionConfig } from './region-config.ts';

const port = z.coerce.number().int().min(0).max(65_535);
/** An empty variable counts as not set. */
const optional = <T extends z.ZodType>(schema: T) => z.preprocess((v) => (v === '' ? undefined : v), schema.optional());

const environment = z.object({
  SLUICE_HOME: optional(z.string()),
  SLUICE_CACHE: optional(z.string()),
  SLUICE_HOST: optional(z.string()),
  SLUICE_PORT: optional(port),
  SLUICE_API_PROCESSES: optional(z.coerce.number().int().min(1).max(64)),
  SLUICE_WORKER_METRICS_PORT: optional(port),
  SLUICE_LOG_LEVEL: optional(z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])),
  SLUICE_JOURNAL_MAX_MB: optional(z.coerce.number().int().min(64).max(1_048_576)),
  SLUICE_JOURNAL_MAX_AGE_HOURS: optional(z.coerce.number().int().min(1).max(8_760)),
  SLUICE_KEPT_VERSIONS_MB: optional(z.coerce.number().int().min(0).max(65_536)),
  SLUICE_KEPT_VERSIONS_MINUTES: optional(z.coerce.number().int().min(1).max(43_200)),
  SLUICE_PROCESS_MEMORY_MB: optional(z.coerce.number().int().min(128).max(1_048_576)),
  SLUICE_SEALING_KEY: optional(z.base64().length(44, 'expected 32 bytes in base64')),
  SLUICE_WEBHOOKS_PRIVATE: optional(z.enum(['refuse', 'allow'])),
  SLUICE_TASK_QUEUE: optional(z.string().min(1).max(200)),
  SLUICE_ROLLOUT_DRILL_DAYS: optional(z.coerce.number().int().min(1).max(365)),
  SLUICE_TRAINING_MEMORY_MB: optional(z.coerce.number().int().min(256).max(262_144)),
  DATABASE_URL: optional(
    z.string().regex(/^postgres(ql)?:\/\//, 'expected postgres://user:password@host:port/database'),
  ),
  TEMPORAL_ADDRESS: optional(z.string().regex(/^[^\s/]+:\d+$/, 'expected host:port')),
  TEMPORAL_NAMESPACE: optional(z.string().min(1)),
  LIGHTGBM_LIBRARY: optional(z.string().min(1)),
});

export interface Config {
  /** All state of this platform on this machine. */
  readonly home: string;
  /** Programs and libraries fetched once. */
  readonly cacheDir: string;
  readonly artefactDir: string;
  /** Records of answered predictions on their way to the database; at the first of the two bounds the oldest go. */
  /** `bytesMax` is `null` where it follows the disk. */
  readonly journal: { readonly dir: string; readonly bytesMax: number | null; readonly ageMaxMs: number };
  readonly host: string;
  readonly port: number;
  /** Serving processes of the API; `null`: one per core that the container has. */
  readonly apiProcesses: number | null;
  /** Of each serving process: versions that no routing names any more, kept for a way back. */
  readonly keptVersions: { readonly bytesMax: number; readonly ttlMs: number };
  /** Resident memory from which a serving process is replaced by a fresh one, MB; `null`: by the container's limit. */
  readonly processMemoryMb: number | null;
  /** Prometheus port of the worker on loopback, 0 for a free one; `null`: not served. */
  readonly workerMetricsPort: number | null;
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly taskQueue: string;
  readonly webhooks: {
    /** 32 bytes in base64; `null`: the file `sealing.key` of the home. */
    readonly sealingKey: string | null;
    readonly sealingKeyPath: string;
    /** Webhooks may lead to this machine and its network. */
    readonly allowPrivate: boolean;
  };
  readonly backup: BackupConfig;
  /** `null`: the platform stands alone. */
  readonly region: RegionConfig | null;
  /** No rollout begins unless a recovery drill passed within so many days; `null`: nobody asks. */
  readonly rolloutDrillDays: number | null;
  /** Heap limit of a training process, MB. */
  readonly trainingMemoryMb: number;
  /** `null`: embedded. */
  readonly databaseUrl: string | null;
  /** `null`: embedded. */
  readonly temporalAddress: string | null;
  readonly temporalNamespace: string;
  readonly lightgbmLibrary: string | null;
}

/**
 * Reads the configuration once per process; the only reader of the environment.
 * @throws DomainError `invalidInput` with every problem at once
 */
export function readConfig(env: Readonly<Record<string, string | undefined>> = process.env): Config {
  const parsed = environment.safeParse(env);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((i) => ({ field: i.path.join('.'), message: i.message }));
    throw new DomainError('invalidInput', 'The environment holds settings that cannot be used', problems);
  }
  const e = parsed.data;
  const home = resolve(e.SLUICE_HOME ?? '.sluice');
  const backup = readBackupConfig(env, home);
  return {
    home,
    cacheDir: resolve(e.SLUICE_CACHE ?? `${home}/cache`),
    artefactDir: `${home}/artefacts`,
    journal: {
      dir: `${home}/journal`,
      bytesMax: e.SLUICE_JOURNAL_MAX_MB === undefined ? null : e.SLUICE_JOURNAL_MAX_MB * 1024 * 1024,
      ageMaxMs: (e.SLUICE_JOURNAL_MAX_AGE_HOURS ?? 72) * 3_600_000,
    },
    host: e.SLUICE_HOST ?? '127.0.0.1',
    port: e.SLUICE_PORT ?? 8080,
    apiProcesses: e.SLUICE_API_PROCESSES ?? null,
    keptVersions: {
      bytesMax: (e.SLUICE_KEPT_VERSIONS_MB ?? 64) * 1024 * 1024,
      ttlMs: (e.SLUICE_KEPT_VERSIONS_MINUTES ?? 60) * 60_000,
    },
    processMemoryMb: e.SLUICE_PROCESS_MEMORY_MB ?? null,
    workerMetricsPort: e.SLUICE_WORKER_METRICS_PORT ?? null,
    logLevel: e.SLUICE_LOG_LEVEL ?? 'info',
    webhooks: {
      sealingKey: e.SLUICE_SEALING_KEY ?? null,
      sealingKeyPath: `${home}/sealing.key`,
      allowPrivate: e.SLUICE_WEBHOOKS_PRIVATE === 'allow',
    },
    taskQueue: e.SLUICE_TASK_QUEUE ?? 'sluice',
    backup,
    region: readRegionConfig(env, backup.targets),
    rolloutDrillDays: e.SLUICE_ROLLOUT_DRILL_DAYS ?? null,
    trainingMemoryMb: e.SLUICE_TRAINING_MEMORY_MB ?? 2048,
    databaseUrl: e.DATABASE_URL ?? null,
    temporalAddress: e.TEMPORAL_ADDRESS ?? null,
    temporalNamespace: e.TEMPORAL_NAMESPACE ?? 'default',
    lightgbmLibrary: e.LIGHTGBM_LIBRARY ?? null,
  };
}
