import type { Metrics } from '../../adapters/metrics.ts';
import { DomainError } from '../../domain/errors.ts';
import type { BatchRow, PredictBatchBody, PredictBody } from '../predict-body.ts';
import type { PredictOutcome, PredictRequest, Serving } from '../serving/contract.ts';
import { predictionJson, refusedRowJson, roundedMs } from './prediction-json.ts';

export interface PredictionDeps {
  readonly serving: Pick<Serving, 'predict' | 'predictOne' | 'predictText' | 'served'>;
  readonly metrics: Pick<Metrics, 'answered'>;
}

/** The request around a body. */
export interface PredictionCall {
  /** The caller's own, or `null`. */
  readonly requestId: string | null;
  /** `performance.now()` when the request came in. */
  readonly startedAt: number;
}

/** What is answered with status 200. */
export interface PredictionAnswer {
  /** For the header: the caller's own, else that of the prediction. */
  readonly requestId: string;
  readonly json: string;
}

export interface PredictionAnswers {
  /** @throws DomainError `invalidInput` when the row is refused, and those of `Serving.predict` */
  one(call: PredictionCall, body: PredictBody): Promise<PredictionAnswer>;
  /**
   * The answer of a single row that was predicted already.
   * @throws DomainError `invalidInput` when the row was refused
   */
  ofOutcome(requestId: string | null, outcome: PredictOutcome): PredictionAnswer;
  /** @throws DomainError those of `Serving.predict`; a refused row is an answer */
  many(call: PredictionCall & { readonly requestId: string }, body: PredictBatchBody): Promise<PredictionAnswer>;
}

/** From a checked body to the text of the answer: what the routes and the hot path have in common. */
export function createPredictionAnswers({ serving, metrics }: PredictionDeps): PredictionAnswers {
  async function predict(model: string | null, requests: readonly PredictRequest[]) {
    const outcomes = await serving.predict(model, requests);
    for (const outcome of outcomes) if (outcome.ok) metrics.answered(outcome.model, outcome.risk);
    return outcomes;
  }

  function answerOf(requestId: string | null, outcome: PredictOutcome): PredictionAnswer {
    if (!outcome.ok) {
      throw new DomainError('invalidInput', 'The features cannot be used as they are', outcome.problems);
    }
    // One id for the request and its prediction, where the caller did not bring one.
    return { requestId: requestId ?? outcome.requestId, json: predictionJson(outcome) };
  }

  return {
    one: async (call, body) => {
      const [outcome] = await predict(body.model, [body.request]);
      if (outcome === undefined) throw new DomainError('internal', 'The serving path gave no outcome');
      return answerOf(call.requestId, outcome);
    },
    ofOutcome: (requestId, outcome) => {
      if (outcome.ok) metrics.answered(outcome.model, outcome.risk);
      return answerOf(requestId, outcome);
    },
    many: async ({ requestId, startedAt }, body) => {
      // The serving path is asked even when no row is usable: it knows whether the model exists.
      const outcomes = await predict(body.model, body.rows.filter(isRequest));
      const answered = outcomes.find((o) => o.ok);
      const model = answered?.model ?? body.model ?? serving.served()[0]?.model ?? '';
      const rows = rowsJson(body.rows, outcomes);
      const latencyMs = roundedMs(performance.now() - startedAt);
      const head = `{"request_id":${JSON.stringify(requestId)},"model":${JSON.stringify(model)}`;
      return { requestId, json: `${head},"predictions":[${rows}],"latency_ms":${latencyMs}}` };
    },
  };
}

const isRequest = (row: BatchRow): row is PredictRequest => 'features' in row;

/** Rows that never were requests keep their place among the outcomes. */
function rowsJson(rows: readonly BatchRow[], outcomes: readonly PredictOutcome[]): string {
  let json = '';
  let next = 0;
  for (const row of rows) {
    if (json !== '') json += ',';
    if (!isRequest(row)) {
      json += refusedRowJson(row.problems);
      continue;
    }
    const outcome = outcomes[next++];
    if (outcome === undefined) throw new DomainError('internal', 'The serving path gave too few outcomes');
    json += outcome.ok ? predictionJson(outcome) : refusedRowJson(outcome.problems, outcome.code);
  }
  return json;
}
