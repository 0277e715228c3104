import type { Registry } from '../../db/ports.ts';
import type { DrillRow } from '../../db/recovery-store.ts';
import { actorOf, auditAfter } from '../actor.ts';
import { answerJson } from '../answers.ts';
import type { BackupDesk } from '../backups/backup-desk.ts';
import type { ControlPlane } from '../control-plane.ts';
import type { Log } from '../log.ts';
import { checkedBy, defineOperation } from '../operation.ts';
import type { Operation } from '../operation.ts';
import { drillBodySchema, drillListSchema, drillsQuery } from '../schemas/backups.ts';
import { startedSchema } from '../schemas/rollouts.ts';

export interface DrillDeps {
  readonly desk: Pick<BackupDesk, 'drills' | 'requireTarget'>;
  readonly control: Pick<ControlPlane, 'startDrill'>;
  readonly registry: Pick<Registry, 'audit'>;
  readonly log: Log;
}

/** `GET /backups/drills`, `POST /backups/drills`. */
export function drillOperations({ desk, control, registry, log }: DrillDeps): readonly Operation[] {
  return [
    defineOperation({
      id: 'listDrills',
      method: 'get',
      path: '/backups/drills',
      tag: 'Backups',
      summary: 'List recovery drills',
      description: 'What each restored, how long it took and what a loss would have cost; newest first.',
      permission: 'monitor',
      query: drillsQuery,
      answers: { 200: { description: 'The drills', schema: drillListSchema } },
      handle: async ({ c, query }) =>
        answerJson(c, 200, { drills: (await desk.drills(query.limit)).map(describeDrill) }),
    }),
    defineOperation({
      id: 'startDrill',
      idempotent: {},
      method: 'post',
      path: '/backups/drills',
      tag: 'Backups',
      summary: 'Prove a restore',
      description:
        'Restores the newest state into a throw-away server beside what is in use, checks it and removes it again. ' +
        'Answers at once; `GET /backups/drills` says how it went. One runs at a time, whoever began it.',
      permission: 'admin',
      inAnyRegion: true,
      refusals: ['notFound', 'conflict'],
      body: {
        ...checkedBy(drillBodySchema),
        description: 'Which target; an empty body takes the first one',
        example: { target: 'folder' },
        whenEmpty: {},
      },
      answers: { 202: { description: 'Started', schema: startedSchema } },
      handle: async ({ c, body }) => {
        const target = await desk.requireTarget(body.target);
        const started = await control.startDrill({ target });
        const entry = {
          actor: actorOf(c),
          action: 'drill.start',
          subject: 'platform',
          details: { ...started, target },
        };
        await auditAfter(registry.audit, log, entry);
        return answerJson(c, 202, { workflow_id: started.workflowId, run_id: started.runId });
      },
    }),
  ];
}

function describeDrill({ id, target, setId, outcome, startedAt, finishedAt, restoreMs, lossMs, details }: DrillRow) {
  const { failure } = details;
  return {
    id,
    target,
    set_id: setId,
    outcome,
    started_at: startedAt.toISOString(),
    finished_at: finishedAt?.toISOString() ?? null,
    restore_ms: restoreMs,
    loss_ms: lossMs,
    failure: typeof failure === 'string' ? failure : null,
  };
}
