import { z } from '@hono/zod-openapi';
import { DRILL_OUTCOMES } from '../../db/recovery-schema.ts';
import { LOG_STATES } from '../../domain/recovery/log-state.ts';
import { SET_KINDS } from '../../domain/recovery/manifest.ts';
import { optional } from './optional.ts';
import { limitQuery, timestampSchema } from './parameters.ts';

const LABEL_LENGTH_MAX = 200;
// eslint-disable-next-line no-control-regex -- no text that is kept holds NUL
const withoutNul = /^[^\u0000]*$/;
const setIdSchema = z.string().openapi({ example: '20300131T031700Z-0f3a9c1b' });
/** Loose on purpose: what is no id, or no target, is answered with 404. */
const targetSchema = z.string().min(1).max(100).regex(withoutNul).openapi({ example: 'folder' });

export const backupParams = z.strictObject({ id: z.string().min(1).max(100).regex(withoutNul) });
export const backupQuery = z.strictObject({ target: optional(targetSchema) });
export const backupsQuery = z.strictObject({ target: optional(targetSchema), limit: limitQuery });

const kindSchema = z.enum(SET_KINDS).openapi({
  description: 'physical: any moment up to which the log is there; logical: rows of its own moment only',
});
const setShape = {
  id: setIdSchema,
  target: z.string(),
  kind: kindSchema.nullable(),
  taken_at: timestampSchema,
  requested_by: z.string().nullable(),
  label: z.string().nullable(),
  bytes: z.int().openapi({ description: 'In the target, without artefacts, which sets share' }),
  verified_at: timestampSchema.nullable(),
  hold: z.string().nullable().openapi({ description: 'Why it is kept, whatever the retention says' }),
  problem: z.string().nullable().openapi({ description: 'Why its manifest cannot be read' }),
  restorable: z
    .strictObject({ from: timestampSchema, to: timestampSchema })
    .nullable()
    .openapi({ description: 'Moments it brings back; one moment where no log follows' }),
};

export const backupListSchema = z.strictObject({ sets: z.array(z.strictObject(setShape).openapi('BackupSet')) });

export const backupShownSchema = z
  .strictObject({
    ...setShape,
    manifest: z.looseObject({}).openapi({ description: 'As it was signed' }),
    verification: z
      .strictObject({
        workflow_id: z.string(),
        run_id: z.string().nullable(),
        status: z.enum(['running', 'completed', 'failed', 'none']),
        failure: z.string().nullable(),
      })
      .nullable()
      .openapi({ description: 'The newest one that was asked for; null while Temporal does not answer' }),
  })
  .openapi('ShownBackupSet');

export const backupStatusSchema = z
  .strictObject({
    targets: z.array(
      z.strictObject({
        target: z.string(),
        address: z.string(),
        sets: z.int(),
        newest_verified: setIdSchema.nullable(),
        newest_kind: kindSchema.nullable(),
        age_ms: z.number().nullable(),
        problem: z.string().nullable(),
        restorable: z.array(z.string()),
        wal_lag_seconds: z.number().nullable(),
        met: z.boolean().openapi({ description: 'The newest verified set is younger than 36 hours' }),
      }),
    ),
    log: z.enum(LOG_STATES).nullable().openapi({
      description:
        'Whether the write-ahead log goes to the targets between sets. refused: the database allows no replication, and sets are logical copies; unbounded: it would keep the log without a bound; failed: shipping did not begin; off: as configured; null: not known',
    }),
    drill: z
      .strictObject({
        finished_at: timestampSchema,
        passed: z.boolean(),
        restore_ms: z.number().nullable(),
        loss_ms: z.number().nullable(),
        set_id: z.string().nullable(),
      })
      .nullable(),
  })
  .openapi('BackupStatus');

export const backupBodySchema = z
  .strictObject({ label: optional(z.string().trim().min(1).max(LABEL_LENGTH_MAX).regex(withoutNul)) })
  .openapi('StartBackup');
export const verifyBodySchema = z.strictObject({ target: optional(targetSchema) }).openapi('VerifyBackup');
export const holdBodySchema = z
  .strictObject({ reason: z.string().trim().min(1).max(500).regex(withoutNul), target: optional(targetSchema) })
  .openapi('HoldBackup');
export const heldSchema = z
  .strictObject({ id: setIdSchema, hold: z.string().nullable(), targets: z.array(z.string()) })
  .openapi('HeldBackup');

export const pointBodySchema = z
  .strictObject({ name: z.string().min(1).max(100).openapi({ example: 'before-release-7' }) })
  .openapi('CreateRestorePoint');
export const pointSchema = z
  .strictObject({
    name: z.string(),
    at: timestampSchema,
    lsn: z.string().openapi({ description: 'Position in the log', example: '0/3000028' }),
    timeline: z.int(),
    targets: z.array(z.string()),
  })
  .openapi('RestorePoint');
export const pointListSchema = z.strictObject({ points: z.array(pointSchema) });

export const drillBodySchema = z.strictObject({ target: optional(targetSchema) }).openapi('StartDrill');
export const drillsQuery = z.strictObject({ limit: limitQuery });
export const drillListSchema = z.strictObject({
  drills: z.array(
    z
      .strictObject({
        id: z.string(),
        target: z.string().openapi({ description: 'Address of what was restored from' }),
        set_id: setIdSchema.nullable(),
        outcome: z.enum(DRILL_OUTCOMES),
        started_at: timestampSchema,
        finished_at: timestampSchema.nullable(),
        restore_ms: z.number().nullable().openapi({ description: 'From the order until all was restored and checked' }),
        loss_ms: z.number().nullable().openapi({ description: 'Age of the newest change that came back' }),
        failure: z.string().nullable(),
      })
      .openapi('Drill'),
  ),
});
