import type { Registry } from '../../db/ports.ts';
import { actorOf, auditAfter } from '../actor.ts';
import { answerJson } from '../answers.ts';
import type { BackupDesk } from '../backups/backup-desk.ts';
import type { Log } from '../log.ts';
import { checkedBy, defineOperation } from '../operation.ts';
import type { Operation } from '../operation.ts';
import { pointBodySchema, pointListSchema, pointSchema } from '../schemas/backups.ts';

export interface RestorePointDeps {
  readonly desk: Pick<BackupDesk, 'points' | 'createPoint'>;
  readonly registry: Pick<Registry, 'audit'>;
  readonly log: Log;
}

/** `GET /restore-points`, `POST /restore-points`. */
export function restorePointOperations({ desk, registry, log }: RestorePointDeps): readonly Operation[] {
  return [
    defineOperation({
      id: 'listRestorePoints',
      method: 'get',
      path: '/restore-points',
      tag: 'Backups',
      summary: 'List restore points',
      description: 'Named positions of the log in any target, newest first.',
      permission: 'monitor',
      refusals: ['notFound'],
      answers: { 200: { description: 'The points', schema: pointListSchema } },
      handle: async ({ c }) => answerJson(c, 200, { points: await desk.points() }),
    }),
    defineOperation({
      id: 'createRestorePoint',
      idempotent: {},
      method: 'post',
      path: '/restore-points',
      tag: 'Backups',
      summary: 'Name this moment',
      description:
        'So that `sluice restore --to point:NAME` comes back to it, once the log up to it has reached a target, which ' +
        'takes a second or two. A name is given once. Refused where the log is shipped to no target.',
      permission: 'admin',
      refusals: ['notFound', 'conflict', 'refused', 'invalidInput'],
      body: {
        ...checkedBy(pointBodySchema),
        description: '1 to 63 letters, digits, dots, dashes and underscores',
        example: { name: 'before-release-7' },
      },
      answers: { 201: { description: 'Made', schema: pointSchema } },
      handle: async ({ c, body }) => {
        const point = await desk.createPoint(body.name);
        const details = { lsn: point.lsn, targets: point.targets };
        const entry = { actor: actorOf(c), action: 'restorePoint.create', subject: point.name, details };
        await auditAfter(registry.audit, log, entry);
        return answerJson(c, 201, point);
      },
    }),
  ];
}
