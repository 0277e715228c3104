import type { Registry } from '../../db/ports.ts';
import type { BackupStatus } from '../../recovery/catalogue/backup-status.ts';
import type { ListedSet } from '../../recovery/catalogue/list-sets.ts';
import { actorOf, auditAfter } from '../actor.ts';
import { answerJson } from '../answers.ts';
import type { BackupDesk } from '../backups/backup-desk.ts';
import type { ControlPlane } from '../control-plane.ts';
import type { Log } from '../log.ts';
import { checkedBy, defineOperation } from '../operation.ts';
import type { Operation } from '../operation.ts';
import {
  backupBodySchema,
  backupListSchema,
  backupParams,
  backupQuery,
  backupShownSchema,
  backupsQuery,
  backupStatusSchema,
  heldSchema,
  holdBodySchema,
  verifyBodySchema,
} from '../schemas/backups.ts';
import { startedSchema } from '../schemas/rollouts.ts';

export interface BackupDeps {
  readonly desk: BackupDesk;
  readonly control: Pick<ControlPlane, 'startBackup' | 'startVerification' | 'verification'>;
  readonly registry: Pick<Registry, 'audit'>;
  readonly log: Log;
}

const reading = { method: 'get', tag: 'Backups', permission: 'monitor' } as const;
const writing = { method: 'post', tag: 'Backups', permission: 'admin' } as const;

/** `/backups`: list, status, one set; start, verify, hold and release. */
export function backupOperations(deps: BackupDeps): readonly Operation[] {
  // The status before the one set: its path would fit that of a set.
  return [
    listBackups(deps),
    showStatus(deps),
    showBackup(deps),
    startBackup(deps),
    verify(deps),
    hold(deps),
    release(deps),
  ];
}

function listBackups({ desk }: BackupDeps): Operation {
  return defineOperation({
    ...reading,
    id: 'listBackups',
    path: '/backups',
    summary: 'List backup sets',
    description: 'The sets of every target, or of one, newest first, with the moments that each brings back.',
    query: backupsQuery,
    refusals: ['notFound'],
    answers: { 200: { description: 'The sets', schema: backupListSchema } },
    handle: async ({ c, query }) => {
      const sets = await desk.list(query.target);
      return answerJson(c, 200, { sets: sets.slice(0, query.limit).map(describeSet) });
    },
  });
}

function showStatus({ desk }: BackupDeps): Operation {
  return defineOperation({
    ...reading,
    id: 'showBackupStatus',
    path: '/backups/status',
    summary: 'Show where backups stand',
    description:
      'Each target against the objectives: newest verified set, restorable windows, lag of the log; the last drill.',
    refusals: ['notFound'],
    answers: { 200: { description: 'The status', schema: backupStatusSchema } },
    handle: async ({ c }) => answerJson(c, 200, describeStatus(await desk.status())),
  });
}

function showBackup({ desk, control }: BackupDeps): Operation {
  return defineOperation({
    ...reading,
    id: 'showBackup',
    path: '/backups/{id}',
    summary: 'Show a backup set',
    description:
      'With its manifest, and with how its newest verification went. From the first target that has it, or the one named.',
    params: backupParams,
    query: backupQuery,
    refusals: ['notFound'],
    answers: { 200: { description: 'The set', schema: backupShownSchema } },
    handle: async ({ c, params, query }) => {
      const { manifest, ...set } = await desk.show(params.id, query.target);
      const found = await control.verification({ setId: set.setId, target: set.target }).catch(() => null);
      const verification =
        found === null
          ? null
          : { workflow_id: found.workflowId, run_id: found.runId, status: found.status, failure: found.failure };
      return answerJson(c, 200, { ...describeSet(set), manifest, verification });
    },
  });
}

function startBackup({ control, registry, log }: BackupDeps): Operation {
  return defineOperation({
    ...writing,
    id: 'startBackup',
    idempotent: {},
    path: '/backups',
    summary: 'Take a backup',
    description: 'Starts the backup and answers at once. One runs at a time, whoever began it.',
    refusals: ['conflict'],
    body: {
      ...checkedBy(backupBodySchema),
      description: 'A name for people; an empty body will do',
      example: { label: 'before-the-migration' },
      whenEmpty: {},
    },
    answers: { 202: { description: 'Started', schema: startedSchema } },
    handle: async ({ c, body }) => {
      const actor = actorOf(c);
      const started = await control.startBackup({ requestedBy: actor, ...body });
      await auditAfter(registry.audit, log, {
        actor,
        action: 'backup.start',
        subject: 'platform',
        details: { ...started, ...body },
      });
      return answerJson(c, 202, { workflow_id: started.workflowId, run_id: started.runId });
    },
  });
}

function verify({ desk, control }: BackupDeps): Operation {
  return defineOperation({
    ...writing,
    id: 'verifyBackup',
    path: '/backups/{id}/verify',
    inAnyRegion: true,
    summary: 'Verify a backup set',
    description:
      'Starts to read every byte of the set in its first target, or the one named; `GET /backups/{id}` says how it went.',
    params: backupParams,
    refusals: ['notFound'],
    body: {
      ...checkedBy(verifyBodySchema),
      description: 'Which target; an empty body will do',
      example: { target: 'folder' },
      whenEmpty: {},
    },
    answers: { 202: { description: 'Started, or under way already', schema: startedSchema } },
    handle: async ({ c, params, body }) => {
      const target = await desk.holder(params.id, body.target);
      const started = await control.startVerification({ setId: params.id, target });
      return answerJson(c, 202, { workflow_id: started.workflowId, run_id: started.runId });
    },
  });
}

function hold(deps: BackupDeps): Operation {
  return defineOperation({
    ...writing,
    id: 'holdBackup',
    path: '/backups/{id}/hold',
    summary: 'Keep a backup set',
    description: 'Whatever the retention says, until it is released; in every target that has it, or the one named.',
    params: backupParams,
    refusals: ['notFound'],
    body: { ...checkedBy(holdBodySchema), description: 'Why', example: { reason: 'audit of 2030' } },
    answers: { 200: { description: 'Held', schema: heldSchema } },
    handle: async ({ c, params, body }) => {
      const targets = await deps.desk.hold(params.id, body.reason, body.target);
      await note(deps, {
        actor: actorOf(c),
        action: 'backup.hold',
        subject: params.id,
        reason: body.reason,
        details: { targets },
      });
      return answerJson(c, 200, { id: params.id, hold: body.reason, targets });
    },
  });
}

function release(deps: BackupDeps): Operation {
  return defineOperation({
    ...writing,
    id: 'releaseBackup',
    path: '/backups/{id}/release',
    summary: 'Lift the hold of a backup set',
    description: 'From now on the retention decides; in every target that has the set, or the one named.',
    params: backupParams,
    refusals: ['notFound'],
    body: {
      ...checkedBy(verifyBodySchema),
      description: 'Which target; an empty body will do',
      example: { target: 'folder' },
      whenEmpty: {},
    },
    answers: { 200: { description: 'Released', schema: heldSchema } },
    handle: async ({ c, params, body }) => {
      const targets = await deps.desk.hold(params.id, null, body.target);
      await note(deps, { actor: actorOf(c), action: 'backup.release', subject: params.id, details: { targets } });
      return answerJson(c, 200, { id: params.id, hold: null, targets });
    },
  });
}

function note({ registry, log }: BackupDeps, entry: Parameters<typeof auditAfter>[2]): Promise<void> {
  return auditAfter(registry.audit, log, entry);
}

function describeSet({ setId, takenAt, requestedBy, storedBytes, verifiedAt, ...same }: ListedSet) {
  const { target, kind, label, hold: held, problem, restorable } = same;
  return {
    id: setId,
    target,
    kind,
    taken_at: takenAt,
    requested_by: requestedBy,
    label,
    bytes: storedBytes,
    verified_at: verifiedAt,
    hold: held,
    problem,
    restorable,
  };
}

function describeStatus({ targets, log, drill }: BackupStatus) {
  return {
    log,
    targets: targets.map(({ newestVerified, newestKind, ageMs, walLagSeconds, ...same }) => ({
      ...same,
      newest_verified: newestVerified,
      newest_kind: newestKind,
      age_ms: ageMs,
      wal_lag_seconds: walLagSeconds,
    })),
    drill:
      drill === null
        ? null
        : {
            finished_at: new Date(drill.finishedAtMs).toISOString(),
            passed: drill.passed,
            restore_ms: drill.restoreMs,
            loss_ms: drill.lossMs,
            set_id: drill.setId,
          },
  };
}
