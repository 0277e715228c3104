import type { LedgerEntry } from '../../db/rollout-ports.ts';
import type { Registry } from '../../db/ports.ts';
import { DomainError } from '../../domain/errors.ts';
import { actorOf } from '../actor.ts';
import { answerJson } from '../answers.ts';
import { checkedBy, defineOperation } from '../operation.ts';
import type { Operation } from '../operation.ts';
import { requireModel } from '../require-model.ts';
import { modelParams, versionParams } from '../schemas/parameters.ts';
import { ledgerQuery, ledgerSchema, releaseBodySchema, releasedSchema } from '../schemas/rollout-controls.ts';
import { requireVersion } from './versions.ts';

/** A range without a beginning starts here: no routing is older. */
const BEGINNING = new Date(0);

export interface LedgerDeps {
  readonly registry: Pick<Registry, 'models' | 'versions' | 'ledger'>;
  readonly now: () => number;
}

const describeEntry = (entry: LedgerEntry) => ({
  model: entry.model,
  generation: entry.generation,
  routes: entry.routes,
  salt: entry.salt,
  rollout_id: entry.rolloutId,
  decided_by: entry.changedBy,
  reason: entry.reason,
  evidence: entry.evidence,
  valid_from: entry.validFrom.toISOString(),
  valid_to: entry.validTo?.toISOString() ?? null,
});

/** `GET /models/{model}/ledger`, `POST /models/{model}/versions/{version}/release`. */
export function ledgerOperations(deps: LedgerDeps): readonly Operation[] {
  return [showLedger(deps), releaseVersion(deps)];
}

function showLedger({ registry, now }: LedgerDeps): Operation {
  return defineOperation({
    id: 'showLedger',
    method: 'get',
    path: '/models/{model}/ledger',
    tag: 'Models',
    summary: 'What served, when, and who decided it',
    description:
      'With `at`: the one generation in force at that moment. With `from` and `to`, or neither: every generation in ' +
      'force in between, oldest first. Each with its weights, who decided, why, and the evidence they had.',
    permission: 'monitor',
    params: modelParams,
    query: ledgerQuery,
    refusals: ['notFound'],
    answers: { 200: { description: 'The generations', schema: ledgerSchema } },
    handle: async ({ c, params, query }) => {
      const { name: model } = await requireModel(registry.models, params.model);
      if (query.at !== undefined) {
        if (query.from !== undefined || query.to !== undefined) throw bothAsked();
        const entry = await registry.ledger.at(model, new Date(query.at));
        return answerJson(c, 200, { model, entries: entry === null ? [] : [describeEntry(entry)] });
      }
      const from = query.from === undefined ? BEGINNING : new Date(query.from);
      // What began in this very millisecond is in force now.
      const to = query.to === undefined ? new Date(now() + 1) : new Date(query.to);
      if (from >= to) throw emptyRange();
      const entries = await registry.ledger.between(model, from, to, query.limit);
      return answerJson(c, 200, { model, entries: entries.map(describeEntry) });
    },
  });
}

const bothAsked = (): DomainError =>
  new DomainError('invalidInput', 'Ask for a moment or for a range', [
    { field: 'at', message: 'cannot stand beside from and to' },
  ]);
const emptyRange = (): DomainError =>
  new DomainError('invalidInput', 'The range is empty', [{ field: 'to', message: 'is not after from' }]);

function releaseVersion({ registry }: LedgerDeps): Operation {
  return defineOperation({
    id: 'releaseVersion',
    method: 'post',
    path: '/models/{model}/versions/{version}/release',
    tag: 'Versions',
    summary: 'Release a quarantined version',
    description:
      'A version that was rolled back or called off is quarantined: nothing rolls it out again by itself. After this it ' +
      'may be rolled out again. Of a version that is accepted already it changes nothing.',
    permission: 'admin',
    params: versionParams,
    refusals: ['notFound', 'refused'],
    body: {
      ...checkedBy(releaseBodySchema),
      description: 'Why it may be trusted again',
      example: { reason: 'the errors came from the data centre, not from the model' },
    },
    answers: { 200: { description: 'Released', schema: releasedSchema } },
    handle: async ({ c, params, body }) => {
      const { model, version } = params;
      await requireModel(registry.models, model);
      const { status } = await requireVersion(registry, model, version);
      if (status !== 'quarantined' && status !== 'accepted') {
        throw new DomainError('refused', `${model} version ${version} is ${status}: only the quarantine can be lifted`);
      }
      await registry.versions.settle(model, version, 'accepted', { by: actorOf(c), reason: body.reason });
      return answerJson(c, 200, { model, version, status: 'accepted' });
    },
  });
}
