/** All or nothing: these protocols have no place for a row that failed among others that did not. */
import type { Context } from 'hono';
import type { Metrics } from '../../adapters/metrics.ts';
import { DomainError } from '../../domain/errors.ts';
import type { Signature } from '../../domain/signature.ts';
import { compileRowEncoder } from '../../models/serving/row-encoder.ts';
import type { RowEncoder } from '../../models/serving/row-encoder.ts';
import type { AppEnv } from '../app-env.ts';
import type { ChargeRows } from '../limits/charge-rows.ts';
import { chargeFurtherRows, limitPredictions } from '../limits/limit-predictions.ts';
import { BATCH_ROWS_MAX } from '../schemas/predictions.ts';
import type { PredictOutcome, PredictRequest, Serving } from '../serving/contract.ts';
import type { ProblemList } from './problem-list.ts';
import { UNUSABLE_ROW } from './table-rows.ts';
import type { Target } from './target.ts';

export interface AnswerDeps {
  readonly serving: Pick<Serving, 'predict' | 'served'>;
  readonly metrics: Pick<Metrics, 'answered'>;
  /** Absent: keys have no limits. */
  readonly charge?: ChargeRows;
}

export type AnsweredRow = Extract<PredictOutcome, { ok: true }>;

export interface AnswerRows {
  /** First of all: what a request costs its key, whatever it turns out to be. */
  begin(c: Context<AppEnv>): Promise<void>;
  /**
   * Rows are checked against the signature before any is asked: an answer that never reaches its caller would still be
   * recorded and counted.
   * @throws DomainError `invalidInput` naming every row and field that is wrong, `rateLimited`, and those of
   *   `Serving.predict`
   */
  answer(
    c: Context<AppEnv>,
    target: Target,
    rows: readonly PredictRequest[],
    problems: ProblemList,
  ): Promise<readonly AnsweredRow[]>;
}

/** Row limit of every protocol, as for the native batch. */
export function checkRowCount(rows: number, field: string, problems: ProblemList): void {
  if (rows < 1 || rows > BATCH_ROWS_MAX) problems.addField(field, `expected 1 to ${BATCH_ROWS_MAX} rows, got ${rows}`);
}

export function createAnswerRows({ serving, metrics, charge }: AnswerDeps): AnswerRows {
  const encoders = new WeakMap<Signature, RowEncoder>();

  function encoderOf(signature: Signature): RowEncoder {
    const known = encoders.get(signature);
    if (known !== undefined) return known;
    const compiled = compileRowEncoder(signature);
    encoders.set(signature, compiled);
    return compiled;
  }

  function check(signature: Signature, rows: readonly PredictRequest[], problems: ProblemList): void {
    const encoder = encoderOf(signature);
    const scratch = new Float32Array(encoder.width);
    for (let row = 0; row < rows.length && !problems.isFull; row += 1) {
      const request = rows[row];
      if (request === undefined || request === UNUSABLE_ROW) continue;
      addAll(row, encoder.encode(request.features, scratch, 0), problems);
    }
    problems.refuseIfAny();
  }

  async function answer(
    c: Context<AppEnv>,
    target: Target,
    rows: readonly PredictRequest[],
    problems: ProblemList,
  ): Promise<readonly AnsweredRow[]> {
    check(target.signature, rows, problems);
    if (charge !== undefined) await chargeFurtherRows(c, charge, rows.length);
    const outcomes = await serving.predict(target.model, rows);
    const answered = outcomes.filter((o) => o.ok);
    if (answered.length < rows.length) refuse(outcomes, problems);
    for (const { model, risk } of answered) metrics.answered(model, risk);
    return answered;
  }

  const begin = charge === undefined ? () => Promise.resolve() : beginWith(charge);
  return { begin, answer };
}

function beginWith(charge: ChargeRows): AnswerRows['begin'] {
  const limit = limitPredictions(charge);
  return async (c) => {
    await limit(c as Context<AppEnv, string>, () => Promise.resolve());
  };
}

/** A version with another signature may refuse what the first check let through. */
function refuse(outcomes: readonly PredictOutcome[], problems: ProblemList): never {
  outcomes.forEach((outcome, row) => {
    if (!outcome.ok && outcome.code === undefined) addAll(row, outcome, problems);
  });
  problems.refuseIfAny();
  throw new DomainError('unavailable', 'The model could not answer every row; try again');
}

const FEATURES = 'features';

function addAll(
  row: number,
  { problems: found }: Pick<Extract<PredictOutcome, { ok: false }>, 'problems'>,
  problems: ProblemList,
): void {
  for (const { field, message, allowed } of found) {
    const column = field.startsWith(`${FEATURES}.`) ? field.slice(FEATURES.length + 1) : null;
    problems.addCell(row, column, message, allowed);
  }
}
