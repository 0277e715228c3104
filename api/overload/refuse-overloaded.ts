import { SECURITY_HEADERS } from '../answers.ts';
import { describeProblem, PROBLEM_TYPE } from '../error-handler.ts';
import { overloaded } from './overloaded.ts';

/** Stands for what differs from answer to answer. */
const PATH = '/PATH';
const ID = 'REQUEST-ID';
const { headers: EXTRA, status: STATUS, json: JSON_TEXT, code } = describeProblem(overloaded(), PATH, ID);
const [BEFORE_PATH = '', AFTER_PATH = ''] = JSON_TEXT.split(JSON.stringify(PATH));
const [BEFORE_ID = '', AFTER_ID = ''] = AFTER_PATH.split(ID);
const HEADERS: readonly string[] = Object.entries({
  ...SECURITY_HEADERS,
  ...EXTRA,
  'content-type': PROBLEM_TYPE,
}).flat();

/** Names and values in turn, as Node takes headers fastest; the id and the length are not in it. */
export const OVERLOADED_ANSWER = { status: STATUS, code, headers: HEADERS } as const;

/**
 * The refusal that is sent when there is least time for it: no error is made, nothing is logged, and the body is left
 * to whoever reads the connection, which reads it to nowhere behind the answer.
 */
export function overloadedJson(path: string, requestId: string): string {
  return `${BEFORE_PATH}${JSON.stringify(path)}${BEFORE_ID}${requestId}${AFTER_ID}`;
}
