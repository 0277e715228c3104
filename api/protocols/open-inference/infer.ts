import type { Context } from 'hono';
import { DomainError } from '../../../domain/errors.ts';
import { answer } from '../../answers.ts';
import type { AppEnv } from '../../app-env.ts';
import { JSON_TYPE } from '../../request-body.ts';
import type { Serving } from '../../serving/contract.ts';
import type { AnswerRows } from '../answer-rows.ts';
import { createProblemList } from '../problem-list.ts';
import { readContent } from '../request-content.ts';
import { requireWholeShare, resolveTarget } from '../target.ts';
import { checkOutputs, encodeInferAnswer } from './infer-answer.ts';
import { decodeInferRequest } from './infer-request.ts';
import { rowsOfTensors } from './infer-rows.ts';

/** Length of the JSON in a body with binary tensors, in requests and answers. */
const JSON_LENGTH_HEADER = 'inference-header-content-length';
const BINARY_TYPE = 'application/octet-stream';
const WHOLE = /^\d{1,9}$/;

const cellName = (row: number, column: string | null): string =>
  column === null ? `row ${row}` : `inputs.${column}.data[${row}]`;

/** `version` null: whichever the routing gives each row to. */
export async function answerInfer(
  c: Context<AppEnv>,
  deps: { readonly serving: Pick<Serving, 'predict' | 'served'>; readonly answerRows: AnswerRows },
  { model, version }: { readonly model: string; readonly version: string | null },
): Promise<Response> {
  await deps.answerRows.begin(c);
  const jsonBytes = readJsonLength(c);
  const target = await resolveTarget(deps.serving, model);
  if (version !== null) requireWholeShare(target, version);
  const problems = createProblemList(cellName);
  const request = decodeInferRequest(await readContent(c), jsonBytes, problems);
  checkOutputs(request, problems);
  // A tensor that could not be read would be reported as missing as well.
  problems.refuseIfAny();
  const rows = rowsOfTensors(request.inputs, target.signature, problems);
  const answered = await deps.answerRows.answer(c, target, rows, problems);
  const { body, jsonBytes: answerJsonBytes } = encodeInferAnswer(request, target.model, answered);
  if (answerJsonBytes === null) return answer(c, 200, body, 'application/json');
  return answer(c, 200, body, BINARY_TYPE, { [JSON_LENGTH_HEADER]: String(answerJsonBytes) });
}

/** `null`: the body is JSON alone. Clients of this protocol often name no type at all. */
function readJsonLength(c: Context<AppEnv>): number | null {
  const length = c.req.header(JSON_LENGTH_HEADER);
  const type = c.req.header('content-type');
  if (length === undefined) {
    if (type === undefined || JSON_TYPE.test(type) || type === BINARY_TYPE) return null;
    throw new DomainError('unsupportedMediaType', 'Tensors come as JSON, or as JSON and binary data', [
      { field: 'Content-Type', message: 'another type was sent', allowed: ['application/json', BINARY_TYPE] },
    ]);
  }
  if (WHOLE.test(length)) return Number(length);
  throw new DomainError('malformedRequest', 'The length of the JSON before the tensors cannot be read', [
    { field: 'Inference-Header-Content-Length', message: 'expected a number of bytes' },
  ]);
}
