import { explainAnswer } from '../../explanations/explain-answer.ts';
import type { ExplanationAnswer } from '../../explanations/explain-answer.ts';
import type { PredictRequest, Serving } from '../../serving/contract.ts';
import type { AnsweredRow } from '../answer-rows.ts';
import type { ProblemList } from '../problem-list.ts';
import type { Target } from '../target.ts';

/** Some milliseconds each, of a process that answers others as well. */
export const EXPLAINED_ROWS_MAX = 100;

export function checkExplainedRows(rows: number, problems: ProblemList): void {
  if (rows <= EXPLAINED_ROWS_MAX) return;
  problems.addField('instances', `expected at most ${EXPLAINED_ROWS_MAX} rows to explain, got ${rows}`);
}

/** Why a version that may answer cannot be explained; asked before any row is answered, and so recorded. */
export async function explanationRefusal(
  serving: Pick<Serving, 'explanationRefusal'>,
  { model, served }: Target,
): Promise<string | null> {
  for (const { version } of served.routes) {
    const refusal = await serving.explanationRefusal(model, version);
    if (refusal !== null) return `Version ${version} of ${model} cannot explain its answers: ${refusal}`;
  }
  return null;
}

/** One explanation per answered row, in order; `top` contributions each. */
export async function explainRows(
  serving: Pick<Serving, 'explain'>,
  answered: readonly AnsweredRow[],
  rows: readonly PredictRequest[],
  top: number,
): Promise<readonly ExplanationAnswer[]> {
  const explanations: ExplanationAnswer[] = [];
  for (const [i, row] of answered.entries()) {
    explanations.push(await explainAnswer(serving, row, rows[i]?.features, top));
  }
  return explanations;
}
