import type { Registry } from '../../db/ports.ts';
import type { ApproverRole } from '../../domain/approver-role.ts';
import { DomainError } from '../../domain/errors.ts';
import { actorOf, auditAfter } from '../actor.ts';
import { answerJson } from '../answers.ts';
import type { ControlPlane } from '../control-plane.ts';
import type { Log } from '../log.ts';
import { checkedBy, defineOperation } from '../operation.ts';
import type { Operation } from '../operation.ts';
import { approveBodySchema, approvedSchema, rolloutParams } from '../schemas/rollouts.ts';
import type { Principal } from '../security/key-directory.ts';
import { findRollout } from './rollouts.ts';

export interface ApprovalDeps {
  readonly registry: Pick<Registry, 'rollouts' | 'audit'>;
  readonly control: Pick<ControlPlane, 'approveRollout'>;
  readonly log: Log;
}

/** The role in which the caller's key speaks. @throws DomainError `forbidden`, `invalidInput` */
function roleOf(principal: Pick<Principal, 'roles'> | undefined, asked: ApproverRole | undefined): ApproverRole {
  const roles = principal?.roles ?? [];
  if (roles.length === 0) {
    throw new DomainError('forbidden', 'This key has no role to approve in: sluice keys create NAME --role techLead', [
      { field: 'role', message: 'the key carries none' },
    ]);
  }
  if (asked !== undefined) {
    if (roles.includes(asked)) return asked;
    throw new DomainError('forbidden', `This key does not carry the role ${asked}`, [
      { field: 'role', message: `the key does not carry ${asked}`, allowed: roles },
    ]);
  }
  const [only, ...more] = roles;
  if (only !== undefined && more.length === 0) return only;
  throw new DomainError('invalidInput', 'The key carries several roles: say in which one you decide', [
    { field: 'role', message: 'is missing', allowed: roles },
  ]);
}

/** `POST /rollouts/{rollout}/approve`. */
export function approvalOperations({ registry, control, log }: ApprovalDeps): readonly Operation[] {
  return [
    defineOperation({
      id: 'approveRollout',
      method: 'post',
      path: '/rollouts/{rollout}/approve',
      tag: 'Rollouts',
      summary: 'Approve the next step, or reject it',
      description:
        'Given in a role that the key carries, on the evidence that was reviewed: its hash, `snapshot.evidenceHash`, is ' +
        'sent back and must still be the current one. Where a rule asks for two persons, two keys with different names ' +
        'approve. Expires, unapplied, when no worker takes it within ten seconds.',
      permission: 'monitor',
      params: rolloutParams,
      refusals: ['notFound', 'conflict', 'refused', 'invalidInput'],
      body: {
        ...checkedBy(approveBodySchema),
        description: 'The decision and what it rests on',
        example: { evidence_hash: '5f2b1c9a', role: 'techLead', reason: 'errors and latency are fine' },
      },
      answers: { 200: { description: 'Taken', schema: approvedSchema } },
      handle: async ({ c, params, body }) => {
        const by = actorOf(c);
        const role = roleOf(c.get('principal'), body.role);
        const { id, model, finishedAt } = await findRollout(registry.rollouts, params.rollout);
        const over = () =>
          new DomainError('refused', `Rollout ${id} of ${model} has ended: nothing waits for approval`);
        if (finishedAt !== null) throw over();
        const { decision = 'approve', reason, evidence_hash: evidenceHash } = body;
        const because = reason === undefined ? {} : { reason };
        const outcome = await control.approveRollout(model, { by, role, evidenceHash, decision, ...because });
        if (outcome.kind === 'notRunning') throw over();
        if (outcome.kind === 'expired') {
          throw new DomainError(
            'unavailable',
            `No worker took the decision on ${model} within ten seconds. It has expired and will not be applied later`,
          );
        }
        const details = { rolloutId: id, role, evidenceHash, decision, evidence: outcome.status.verdict };
        await auditAfter(registry.audit, log, {
          actor: by,
          action: `rollout.${decision}`,
          subject: model,
          details,
          ...because,
        });
        return answerJson(c, 200, { applied: decision, status: outcome.status });
      },
    }),
  ];
}
