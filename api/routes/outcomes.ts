import type { Registry } from '../../db/ports.ts';
import type { OutcomeRow } from '../../db/rollout-ports.ts';
import { DomainError } from '../../domain/errors.ts';
import type { Problem } from '../../domain/errors.ts';
import { answerJson } from '../answers.ts';
import { checkedBy, defineOperation } from '../operation.ts';
import type { Operation } from '../operation.ts';
import { requireModel } from '../require-model.ts';
import { outcomesAnswerSchema, outcomesBodySchema, type OutcomeBody } from '../schemas/rollout-controls.ts';
import type { Serving } from '../serving/contract.ts';

/** Clocks of callers may be ahead by this much. */
const CLOCK_SKEW_MS_MAX = 5 * 60_000;

export interface OutcomeDeps {
  readonly registry: Pick<Registry, 'models' | 'outcomes'>;
  readonly serving: Pick<Serving, 'served'>;
  readonly now: () => number;
}

/** `POST /outcomes`. */
export function outcomeOperations(deps: OutcomeDeps): readonly Operation[] {
  const { registry } = deps;
  return [
    defineOperation({
      id: 'reportOutcomes',
      idempotent: {},
      method: 'post',
      path: '/outcomes',
      tag: 'Predictions',
      summary: 'Report business events',
      description:
        'What came of predictions: a purchase, a cancellation, a complaint. One, or up to 1,000 in `outcomes`, each by ' +
        'the request id of a prediction or by the entity. A rollout whose plan names the event compares its users on ' +
        'both sides. `matched` counts those whose prediction is recorded; the others are kept. All or none are stored.',
      permission: 'predict',
      refusals: ['notFound'],
      body: {
        ...checkedBy(outcomesBodySchema),
        description: 'One outcome, or a list',
        example: {
          outcomes: [
            { model: 'churn', event: 'cancelled', entity_id: 'C-1042' },
            { model: 'churn', event: 'revenue', value: 24.5, request_id: '1b4e28ba-2fa1-4d3a-883f-0016d3cca427' },
          ],
        },
      },
      answers: { 200: { description: 'Stored', schema: outcomesAnswerSchema, example: { accepted: 2, matched: 2 } } },
      handle: async ({ c, body }) => {
        const given = 'outcomes' in body ? body.outcomes : [body];
        const rows = checkOutcomes(given, deps, 'outcomes' in body);
        for (const model of new Set(rows.map((r) => r.model))) await requireModel(registry.models, model);
        const { matched } = await registry.outcomes.save(rows);
        return answerJson(c, 200, { accepted: rows.length, matched });
      },
    }),
  ];
}

/** Every problem of every outcome at once. */
function checkOutcomes(given: readonly OutcomeBody[], deps: OutcomeDeps, listed: boolean): readonly OutcomeRow[] {
  const served = deps.serving.served().map((s) => s.model);
  const only = served.length === 1 ? served[0] : undefined;
  const nowMs = deps.now();
  const problems: Problem[] = [];
  const rows = given.map((outcome, i): OutcomeRow => {
    const field = (name: string) => (listed ? `outcomes[${i}].${name}` : name);
    const model = outcome.model ?? only;
    if (model === undefined) problems.push({ field: field('model'), message: 'name the model', allowed: served });
    if (outcome.request_id === undefined && outcome.entity_id === undefined) {
      problems.push({ field: field('request_id'), message: 'a request id or an entity id is needed' });
    }
    const occurredAtMs = outcome.occurred_at === undefined ? nowMs : Date.parse(outcome.occurred_at);
    if (occurredAtMs > nowMs + CLOCK_SKEW_MS_MAX) {
      problems.push({ field: field('occurred_at'), message: 'lies in the future' });
    }
    const { event, value } = outcome;
    const requestId = outcome.request_id?.toLowerCase() ?? null;
    const entityId = outcome.entity_id === undefined ? null : String(outcome.entity_id);
    return { model: model ?? '', event, value, requestId, entityId, occurredAtMs };
  });
  if (problems.length > 0) throw new DomainError('invalidInput', 'The outcomes cannot be used as they are', problems);
  return rows;
}
