import type { z } from '@hono/zod-openapi';
import type { FeatureRow } from '../../domain/signature.ts';
import { roundedMs } from '../hot-path/prediction-json.ts';
import type { explanationSchema } from '../schemas/explanations.ts';
import type { predictionSchema } from '../schemas/predictions.ts';
import type { Serving } from '../serving/contract.ts';

/** What is known of an answered row. */
export interface AnsweredPrediction {
  readonly model: string;
  readonly version: number;
  readonly probability: number;
}

export type ExplanationAnswer = z.output<typeof explanationSchema>;

/** Float32 sums of a forest differ from float64 by less. */
const DIFFERENCE_MAX = 1e-5;

/** Why the answer is as it is: the `top` largest contributions, and the sum of the others. Never rejects. */
export async function explainAnswer(
  serving: Pick<Serving, 'explain'>,
  { model, version, probability }: AnsweredPrediction,
  features: unknown,
  top: number,
): Promise<ExplanationAnswer> {
  const startedMs = performance.now();
  const outcome = await serving.explain(model, version, features as FeatureRow);
  if (!outcome.explained) return { refused: outcome.reason };
  const { base, logit, contributions } = outcome.explanation;
  // Not what the version computes, but for example a constant in its place.
  if (!(Math.abs(1 / (1 + Math.exp(-logit)) - probability) <= DIFFERENCE_MAX)) {
    return { refused: 'the answer is not what the version computes for this row' };
  }
  const others = contributions.slice(top).reduce((sum, c) => sum + c.contribution, 0);
  const costMs = roundedMs(performance.now() - startedMs);
  return { base, logit, contributions: contributions.slice(0, top), others, cost_ms: costMs };
}

/**
 * Adds the explanation to the text of an answered prediction. It is taken apart again: an explanation costs far more,
 * and only the answer knows which version it is from.
 */
export async function withExplanation(
  serving: Pick<Serving, 'explain'>,
  json: string,
  features: unknown,
  top: number,
): Promise<string> {
  const prediction = JSON.parse(json) as z.output<typeof predictionSchema>;
  const { model, model_version: version, probability } = prediction;
  const explanation = await explainAnswer(serving, { model, version, probability }, features, top);
  return JSON.stringify({ ...prediction, explanation });
}
