import type { ServerResponse } from 'node:http';
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

export const OVERLOADED_ANSWER = { status: STATUS, code } as const;

/**
 * The refusal that is sent when there is least time for it: no error is made, nothing is logged, and the body is left
 * to Node, which reads it to nowhere behind the answer.
 */
export function refuseOverloaded(outgoing: ServerResponse, path: string, requestId: string): void {
  const json = `${BEFORE_PATH}${JSON.stringify(path)}${BEFORE_ID}${requestId}${AFTER_ID}`;
  outgoing.writeHead(STATUS, [
    ...HEADERS,
    'x-request-id',
    requestId,
    'content-length',
    String(Buffer.byteLength(json)),
  ]);
  outgoing.end(json);
}
