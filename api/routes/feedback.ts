import type { Registry } from '../../db/ports.ts';
import { DomainError } from '../../domain/errors.ts';
import type { Problem } from '../../domain/errors.ts';
import type { PredictionRecord } from '../../domain/records.ts';
import type { Signature } from '../../domain/signature.ts';
import { answerJson } from '../answers.ts';
import { checkedBy, defineOperation } from '../operation.ts';
import type { Operation } from '../operation.ts';
import { requireModel } from '../require-model.ts';
import { feedbackAnswerSchema, feedbackSchema } from '../schemas/predictions.ts';
import type { Serving } from '../serving/contract.ts';

/** Clocks of callers may be ahead by this much. */
const CLOCK_SKEW_MS_MAX = 5 * 60_000;

export interface FeedbackDeps {
  readonly registry: Pick<Registry, 'records' | 'models' | 'versions'>;
  readonly serving: Pick<Serving, 'served'>;
  readonly now: () => number;
}

const refuse = (problem: Problem): DomainError =>
  new DomainError('invalidInput', 'The feedback cannot be used as it is', [problem]);

function modelOf(deps: FeedbackDeps, named: string | undefined, prediction: PredictionRecord | null): string {
  if (prediction !== null && named !== undefined && named !== prediction.model) {
    const message = 'is not the model that made this prediction';
    throw refuse({ field: 'model', message, allowed: [prediction.model] });
  }
  const known = prediction?.model ?? named;
  if (known !== undefined) return known;
  const served = deps.serving.served();
  const only = served.length === 1 ? served[0] : undefined;
  if (only !== undefined) return only.model;
  throw refuse({ field: 'model', message: 'name the model', allowed: served.map((s) => s.model) });
}

/** From memory for a served model, else of its newest version. `null`: no version yet. */
async function signatureOf(deps: FeedbackDeps, model: string): Promise<Signature | null> {
  const served = deps.serving.served().find((s) => s.model === model)?.routes[0]?.signature;
  if (served !== undefined) return served;
  await requireModel(deps.registry.models, model);
  const [newest] = await deps.registry.versions.list(model, 1);
  return newest?.signature ?? null;
}

async function checkLabel(deps: FeedbackDeps, model: string, label: string): Promise<void> {
  const signature = await signatureOf(deps, model);
  if (signature === null) throw new DomainError('refused', `${model} has no version yet that feedback could be about`);
  const { positive, negative } = signature.target;
  if (label === positive || label === negative) return;
  throw refuse({ field: 'label', message: `is not a class of ${model}`, allowed: [positive, negative] });
}

function occurredAt(text: string | undefined, nowMs: number): number {
  const atMs = text === undefined ? nowMs : Date.parse(text);
  if (atMs <= nowMs + CLOCK_SKEW_MS_MAX) return atMs;
  throw refuse({ field: 'occurred_at', message: 'lies in the future' });
}

/** `POST /feedback`. */
export function feedbackOperations(deps: FeedbackDeps): readonly Operation[] {
  const { records } = deps.registry;
  return [
    defineOperation({
      id: 'giveFeedback',
      idempotent: {},
      method: 'post',
      path: '/feedback',
      tag: 'Predictions',
      summary: 'Report what really happened',
      description:
        'The true class of an earlier prediction, by its request id, or of an entity. A later report about the same ' +
        'prediction replaces the earlier one. `matched` is 0 when no such prediction is recorded yet; the report is kept.',
      permission: 'predict',
      refusals: ['notFound', 'refused'],
      body: {
        ...checkedBy(feedbackSchema),
        description: 'By request id or by entity',
        example: { request_id: '1b4e28ba-2fa1-4d3a-883f-0016d3cca427', label: 'Yes' },
      },
      answers: {
        200: {
          description: 'Stored',
          schema: feedbackAnswerSchema,
          example: { accepted: true, matched: 1 },
        },
      },
      handle: async ({ c, body }) => {
        const requestId = body.request_id?.toLowerCase() ?? null;
        const occurredAtMs = occurredAt(body.occurred_at, deps.now());
        const prediction = requestId === null ? null : await records.findPrediction(requestId);
        const model = modelOf(deps, body.model, prediction);
        const label = String(body.label);
        await checkLabel(deps, model, label);
        const entityId = body.entity_id === undefined ? null : String(body.entity_id);
        const { matched } = await records.saveFeedback({ requestId, entityId, model, label, occurredAtMs });
        return answerJson(c, 200, { accepted: true, matched });
      },
    }),
  ];
}
