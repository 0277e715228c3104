/** The one place where answers are made, so that every one of them carries the same headers. */
import type { Context } from 'hono';
import type { AppEnv } from './app-env.ts';

/** An API answer is data: no page may embed it, run anything from it, or keep it. */
export const SECURITY_HEADERS = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
} as const;

/** Of Trace Context, level 2. */
export const TRACE_RESPONSE = 'traceresponse';

export type ExtraHeaders = Readonly<Record<string, string>>;

/**
 * Builds the answer from one plain object of headers: the Node adapter writes such a response without ever making a
 * `Headers` object, which a prediction would pay for.
 */
export function answer(
  c: Context<AppEnv>,
  status: number,
  body: string | Uint8Array | null,
  contentType: string | null,
  extra?: ExtraHeaders,
): Response {
  const trace = c.get('trace');
  const headers: Record<string, string> = {
    ...SECURITY_HEADERS,
    ...(contentType === null ? {} : { 'content-type': contentType }),
    'x-request-id': c.get('requestId'),
    ...(trace === undefined ? {} : { [TRACE_RESPONSE]: trace.response }),
    ...c.get('rateHeaders'),
    ...extra,
  };
  return new Response(body as ConstructorParameters<typeof Response>[0], { status, headers });
}

/** Answers with JSON. */
export function answerJson(c: Context<AppEnv>, status: number, body: unknown, extra?: ExtraHeaders): Response {
  return answer(c, status, JSON.stringify(body), 'application/json', extra);
}
