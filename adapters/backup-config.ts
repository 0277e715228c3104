import { join } from 'node:path';
import { z } from 'zod';
import { DomainError } from '../domain/errors.ts';
import { DEFAULT_RETENTION, type RetentionPolicy } from '../domain/recovery/retention.ts';
import type { StoreCredentials } from './object-stores/open-object-store.ts';
import { parseTargets, type BackupTarget } from './object-stores/parse-target.ts';

export interface BackupConfig {
  /** The first one is the primary. Default: the folder `backups` of the home. Empty: no backups. */
  readonly targets: readonly BackupTarget[];
  readonly credentials: StoreCredentials;
  readonly keys: {
    readonly recipients: readonly string[];
    readonly identityFile: string | null;
    readonly signingKeyFile: string;
    readonly trustedSigners: readonly string[] | 'any';
  };
  /** Cron, UTC; `null`: only by hand. */
  readonly schedule: string | null;
  /**
   * Whether the write-ahead log and new artefacts go to the targets between sets. `bounded`: only when the server bounds
   * what it keeps for a target that is away.
   */
  readonly shipLog: 'always' | 'bounded' | 'off';
  readonly retention: RetentionPolicy;
  /** Bytes that a backup and its verification read in a second at most. */
  readonly rateMaxBytes: number;
  /** Where sets are put together. */
  readonly stagingDir: string;
}

const empty = (v: unknown): unknown => (v === '' ? undefined : v);
const text = z.preprocess(empty, z.string().min(1).optional());
const count = z.preprocess(empty, z.coerce.number().int().min(0).max(1_000).optional());
const MB = 1024 * 1024;
/** A gigabyte in a minute or so, for about half a core: predictions beside it do not notice (docs/performance.md). */
const DEFAULT_RATE_MB = 32;
const CRON = /^[\d*/,a-zA-Z -]+$/;
/** At night in most of the world's busy regions, and off the full hour. */
const DEFAULT_SCHEDULE = '17 3 * * *';

const environment = z.object({
  SLUICE_BACKUP_TARGETS: z.string().optional(),
  SLUICE_BACKUP_SCHEDULE: z.preprocess(
    empty,
    z
      .string()
      .refine((v) => v === 'off' || (CRON.test(v) && v.trim().split(/\s+/).length === 5), {
        message: 'expected five fields of cron in UTC, for example "17 3 * * *", or off',
      })
      .optional(),
  ),
  SLUICE_BACKUP_RATE_MB: z.preprocess(empty, z.coerce.number().int().min(1).max(1_024).optional()),
  SLUICE_BACKUP_LOG: z.preprocess(empty, z.enum(['ship', 'off']).optional()),
  SLUICE_BACKUP_RECIPIENTS: text,
  SLUICE_BACKUP_ENCRYPTION: z.preprocess(empty, z.enum(['required', 'off']).optional()),
  SLUICE_BACKUP_IDENTITY_FILE: text,
  SLUICE_BACKUP_SIGNING_KEY_FILE: text,
  SLUICE_BACKUP_TRUSTED_SIGNERS: text,
  SLUICE_BACKUP_KEEP_DAILY: count,
  SLUICE_BACKUP_KEEP_WEEKLY: count,
  SLUICE_BACKUP_KEEP_MONTHLY: count,
  AWS_REGION: text,
  AWS_DEFAULT_REGION: text,
  AWS_ACCESS_KEY_ID: text,
  AWS_SECRET_ACCESS_KEY: text,
  AWS_SESSION_TOKEN: text,
  AWS_CONTAINER_CREDENTIALS_FULL_URI: text,
  AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: text,
  AZURE_STORAGE_KEY: text,
  AZURE_STORAGE_SAS_TOKEN: text,
  GOOGLE_APPLICATION_CREDENTIALS: text,
});
type Environment = z.infer<typeof environment>;

/**
 * What the environment says of backups.
 * @throws DomainError `invalidInput` with every problem; no message repeats a secret
 */
export function readBackupConfig(env: Readonly<Record<string, string | undefined>>, home: string): BackupConfig {
  const parsed = environment.safeParse(env);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((i) => ({ field: i.path.join('.'), message: i.message }));
    throw new DomainError('invalidInput', 'The settings of backups cannot be used', problems);
  }
  const e = parsed.data;
  const targets = readTargets(e, home);
  const recipients = listOf(e.SLUICE_BACKUP_RECIPIENTS);
  requireEncryption(targets, recipients, e.SLUICE_BACKUP_ENCRYPTION);
  return {
    targets,
    credentials: credentialsOf(e),
    keys: {
      recipients,
      identityFile: e.SLUICE_BACKUP_IDENTITY_FILE ?? null,
      signingKeyFile: e.SLUICE_BACKUP_SIGNING_KEY_FILE ?? join(home, 'backup', 'signing-key.pem'),
      trustedSigners: listOf(e.SLUICE_BACKUP_TRUSTED_SIGNERS),
    },
    schedule: e.SLUICE_BACKUP_SCHEDULE === 'off' ? null : (e.SLUICE_BACKUP_SCHEDULE ?? DEFAULT_SCHEDULE),
    shipLog: shipLogOf(e),
    retention: {
      keepAllDays: DEFAULT_RETENTION.keepAllDays,
      daily: e.SLUICE_BACKUP_KEEP_DAILY ?? DEFAULT_RETENTION.daily,
      weekly: e.SLUICE_BACKUP_KEEP_WEEKLY ?? DEFAULT_RETENTION.weekly,
      monthly: e.SLUICE_BACKUP_KEEP_MONTHLY ?? DEFAULT_RETENTION.monthly,
    },
    rateMaxBytes: (e.SLUICE_BACKUP_RATE_MB ?? DEFAULT_RATE_MB) * MB,
    stagingDir: join(home, 'backup', 'staging'),
  };
}

/** Also into the default folder, which is on the same disk: a mistake of a minute ago can be undone without losing the day. */
function shipLogOf({ SLUICE_BACKUP_LOG: wish }: Environment): BackupConfig['shipLog'] {
  if (wish === undefined) return 'bounded';
  return wish === 'ship' ? 'always' : 'off';
}

function readTargets(e: Environment, home: string): readonly BackupTarget[] {
  const written = e.SLUICE_BACKUP_TARGETS;
  if (written === 'off') return [];
  if (written === undefined || written.trim() === '') {
    return [{ kind: 'folder', name: 'folder', dir: join(home, 'backups'), lockDays: null }];
  }
  return parseTargets(written, e.AWS_REGION ?? e.AWS_DEFAULT_REGION ?? null);
}

/** What leaves the machine is encrypted, unless somebody says in so many words that it need not be. */
function requireEncryption(
  targets: readonly BackupTarget[],
  recipients: readonly string[],
  wish: 'required' | 'off' | undefined,
): void {
  const away = targets.filter((target) => target.kind !== 'folder').map((target) => target.name);
  if (recipients.length > 0 || wish === 'off' || (away.length === 0 && wish === undefined)) return;
  throw new DomainError('invalidInput', 'Backups would leave this machine without encryption', [
    {
      field: 'SLUICE_BACKUP_RECIPIENTS',
      message: `is not set, and ${away.length === 0 ? 'encryption is required' : `${away.join(', ')} is not on this machine`}`,
      allowed: ['age1... as `sluice backup keygen` prints it', 'SLUICE_BACKUP_ENCRYPTION=off'],
    },
  ]);
}

function credentialsOf(e: Environment): StoreCredentials {
  return {
    s3: {
      accessKeyId: e.AWS_ACCESS_KEY_ID ?? null,
      secretAccessKey: e.AWS_SECRET_ACCESS_KEY ?? null,
      sessionToken: e.AWS_SESSION_TOKEN ?? null,
      containerUri: e.AWS_CONTAINER_CREDENTIALS_FULL_URI ?? null,
      containerTokenFile: e.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE ?? null,
    },
    azure: { accountKey: e.AZURE_STORAGE_KEY ?? null, sasToken: e.AZURE_STORAGE_SAS_TOKEN ?? null },
    gcsKeyFile: e.GOOGLE_APPLICATION_CREDENTIALS ?? null,
  };
}

function listOf(text: string | undefined): readonly string[] {
  return (text ?? '').split(/[\s,]+/).filter((part) => part !== '');
}
