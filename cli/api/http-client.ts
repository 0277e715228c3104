/** The one place of the command line that speaks HTTP. */
import { z } from 'zod';
import type { Problem } from '../../domain/errors.ts';
import { CliError, EXIT, type ExitCode } from '../errors.ts';

export interface HttpClient {
  readonly url: string;
  /** @throws CliError for everything that is not a 2xx answer with JSON */
  readonly request: (method: Method, path: string, body?: unknown) => Promise<unknown>;
  /** An answer that is a text; errors as for `request`. */
  readonly text: (path: string) => Promise<string>;
  /** Posts a form; waits as long as an upload and its examination may take. */
  readonly upload: (path: string, form: FormData) => Promise<unknown>;
}
type Method = 'GET' | 'POST' | 'DELETE';

/** Longer than the deadline the API gives an operator's command (10 s), so that its answer arrives. */
const REQUEST_TIMEOUT_MS = 20_000;
/** The API's limits of a request's body (30 s) and of an examination (60 s), and the gates behind it. */
const UPLOAD_TIMEOUT_MS = 180_000;
/** The platform's own answers are far smaller; a server that sends more is not the platform. */
const ANSWER_BYTES_MAX = 32 * 1024 * 1024;

const problemDetails = z.object({
  title: z.string().optional(),
  detail: z.string().optional(),
  error: z.string().optional(),
  problems: z
    .array(
      z.object({
        field: z.string(),
        message: z.string(),
        allowed: z.array(z.string()).readonly().exactOptional(),
      }),
    )
    .optional(),
});

export function createHttpClient(options: {
  readonly url: string;
  readonly key: string | null;
  readonly timeoutMs?: number;
}): HttpClient {
  const base = options.url.replace(/\/+$/, '');
  const timeoutMs = options.timeoutMs ?? REQUEST_TIMEOUT_MS;
  const ask = async (limitMs: number, method: Method, path: string, body: unknown): Promise<unknown> => {
    const { status, text } = await send(base, options.key, limitMs, method, path, body);
    const answer = parseJson(text);
    if (status >= 200 && status < 300) {
      if (answer === undefined && text !== '') throw notThePlatform(base, path);
      return answer;
    }
    throw refusal(status, answer, options.key !== null, `${base}${path}`);
  };
  return {
    url: base,
    request: (method, path, body) => ask(timeoutMs, method, path, body),
    text: async (path) => {
      const { status, text } = await send(base, options.key, timeoutMs, 'GET', path, undefined);
      if (status >= 200 && status < 300) return text;
      throw refusal(status, parseJson(text), options.key !== null, `${base}${path}`);
    },
    upload: (path, form) => ask(UPLOAD_TIMEOUT_MS, 'POST', path, form),
  };
}

async function send(
  base: string,
  key: string | null,
  timeoutMs: number,
  method: Method,
  path: string,
  body: unknown,
): Promise<{ status: number; text: string }> {
  const headers: Record<string, string> = { accept: 'application/json, application/problem+json' };
  if (key !== null) headers['x-api-key'] = key;
  // A form says its own type, with the boundary between its parts.
  const isForm = body instanceof FormData;
  if (body !== undefined && !isForm) headers['content-type'] = 'application/json';
  try {
    const response = await fetch(`${base}${path}`, {
      method,
      headers,
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
      ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
    });
    return { status: response.status, text: await readBounded(response) };
  } catch (error) {
    throw error instanceof CliError ? error : unreachable(base, timeoutMs, error);
  }
}

async function readBounded(response: Response): Promise<string> {
  if (response.body === null) return '';
  const decoder = new TextDecoder();
  let bytes = 0;
  let text = '';
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > ANSWER_BYTES_MAX) {
      throw new CliError(EXIT.failed, 'answerTooLarge', `The answer is larger than ${ANSWER_BYTES_MAX} bytes`);
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unreachable(base: string, timeoutMs: number, error: unknown): CliError {
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return new CliError(EXIT.unreachable, 'unreachable', `${base} did not answer within ${timeoutMs / 1000} s`, {
      hint: 'See what the platform is doing: its logs are in .sluice/logs',
    });
  }
  const why = causeCode(error);
  return new CliError(
    EXIT.unreachable,
    'unreachable',
    `No platform answers at ${base}${why === '' ? '' : ` (${why})`}`,
    {
      hint: 'Start it with `npm start`, or say where it is with --url or SLUICE_API_URL',
    },
  );
}

/** Node wraps the reason of a failed fetch: `ECONNREFUSED`, `ENOTFOUND` and so on. */
function causeCode(error: unknown): string {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  if (typeof cause === 'object' && cause !== null && 'code' in cause && typeof cause.code === 'string') {
    return cause.code;
  }
  return cause instanceof Error ? cause.message : '';
}

function refusal(status: number, answer: unknown, hadKey: boolean, address: string): CliError {
  const parsed = problemDetails.safeParse(answer);
  const details = parsed.success ? parsed.data : {};
  const message = details.detail ?? details.title ?? `${address} answered ${status}`;
  const problems: readonly Problem[] = details.problems ?? [];
  return new CliError(exitCodeOf(status), details.error ?? `http${status}`, message, {
    problems,
    hint: hintFor(status, hadKey),
  });
}

function exitCodeOf(status: number): ExitCode {
  if (status === 401 || status === 403 || status === 409 || status === 429) return EXIT.refused;
  if (status === 400 || status === 413 || status === 415 || status === 422) return EXIT.usage;
  if (status === 502 || status === 503 || status === 504) return EXIT.unreachable;
  return EXIT.failed;
}

function hintFor(status: number, hadKey: boolean): string | null {
  if (status === 401) {
    return hadKey
      ? 'The key is unknown, expired or revoked. Give another with --key or SLUICE_API_KEY'
      : 'Give an API key with --key or SLUICE_API_KEY; the first one is in .sluice/first-key';
  }
  if (status === 403)
    return 'This key lacks a permission or a role. Make one that has it: sluice keys create NAME --permission ... --role ...';
  return null;
}

function notThePlatform(base: string, path: string): CliError {
  return new CliError(EXIT.failed, 'notThePlatform', `${base}${path} answered something that is not JSON`, {
    hint: 'Another program may listen there; say where the platform is with --url',
  });
}
