import { setTimeout as sleep } from 'node:timers/promises';
import { refusalError, unreachable, type StoreRefusal } from './failures.ts';

/** With the backoff below some 20 s: longer outages are waited for by the workflow, which keeps no connection. */
const ATTEMPTS_MAX = 6;
const BACKOFF_FIRST_MS = 200;
const BACKOFF_MAX_MS = 8_000;
/** From the first byte sent to the head of the answer: a part of 8 MB over a line of 1 Mbit/s takes 64 s. */
const ANSWER_WITHIN_MS = 180_000;
/** A download that stands still so long is begun again from where it is. */
const STALLED_AFTER_MS = 60_000;
/** Errors and listings: a page of 1,000 keys of 1 kB with their facts is well under this. */
const TEXT_BYTES_MAX = 16 * 1024 * 1024;

export interface StoreRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'HEAD' | 'DELETE';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

export interface StoreAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** 1: at once. A refusal after an earlier attempt may speak of what that attempt did. */
  readonly attempts: number;
}

export interface HttpExchangeOptions {
  readonly address: string;
  /** Adds what proves who asks; anew for each attempt, as signatures and tokens age. */
  readonly sign: (request: StoreRequest) => Promise<StoreRequest>;
  /** Reads the store's own words from an answer that is no success. */
  readonly readRefusal: (status: number, headers: Headers, body: string) => StoreRefusal;
}

export interface SendOptions {
  /** For messages; `null`: about the whole target. */
  readonly key: string | null;
  readonly signal?: AbortSignal | undefined;
  /** Statuses beside 2xx that are no failure. */
  readonly accept?: readonly number[];
}

export interface HttpExchange {
  /**
   * The answer when its status is 2xx or in `accept`; failures that may pass are tried again.
   * @throws DomainError as the port says; the signal's reason when it aborts
   */
  send(request: StoreRequest, options: SendOptions): Promise<StoreAnswer>;
  /** Bytes of a GET from `from`; after a cut it goes on where it was. `headers` are those of the first answer. */
  download(
    request: StoreRequest,
    from: number,
    options: SendOptions,
  ): Promise<{ readonly headers: Headers; readonly content: AsyncIterable<Uint8Array> }>;
}

export function createHttpExchange(options: HttpExchangeOptions): HttpExchange {
  /** Runs until `use` has what it wants of an answer; tries again what may pass. */
  const attempt = async <T>(
    request: StoreRequest,
    wanted: SendOptions,
    use: (call: Call, attempts: number) => Promise<T>,
  ): Promise<T> => {
    for (let attempts = 1; ; attempts++) {
      wanted.signal?.throwIfAborted();
      const call = await begin(options, request, wanted.signal);
      const failed = await judge(options, call, wanted);
      if (failed === null) {
        try {
          return await use(call as Call, attempts);
        } catch (error) {
          if (wanted.signal?.aborted === true || attempts >= ATTEMPTS_MAX) throw error;
        }
      } else if (!failed.again || attempts >= ATTEMPTS_MAX) throw failed.error;
      await pause(failed?.waitMs ?? backoffMs(attempts), wanted.signal);
    }
  };
  return {
    send: (request, wanted) =>
      attempt(request, wanted, async (call, attempts) => {
        try {
          const text = await readText(call.response);
          return { status: call.response.status, headers: call.response.headers, text, attempts };
        } catch (error) {
          throw unreachable(options.address, error);
        } finally {
          call.end();
        }
      }),
    download: async (request, from, wanted) => {
      const open = (at: number): Promise<Call> => attempt(ranged(request, at), wanted, (call) => Promise.resolve(call));
      const first = await open(from);
      return { headers: first.response.headers, content: readOn(options.address, open, first, from, wanted.signal) };
    },
  };
}

interface Call {
  readonly response: Response;
  /** Lets go of the caller's signal and of the connection. */
  readonly end: () => void;
  /** Cuts the call when nothing comes for so long; called again at each sign of life. */
  readonly alive: (withinMs: number) => void;
}

/** One attempt up to the head of the answer; an error in place of it when there is none. */
async function begin(
  { sign }: HttpExchangeOptions,
  request: StoreRequest,
  signal: AbortSignal | undefined,
): Promise<Call | { readonly response: null; readonly error: unknown }> {
  // Not AbortSignal.any: on early Node 20 it holds on to every call as long as the caller's signal lives.
  const controller = new AbortController();
  const stop = (): void => controller.abort(signal?.reason);
  signal?.addEventListener('abort', stop, { once: true });
  let timer: NodeJS.Timeout | undefined;
  const alive = (withinMs: number): void => {
    clearTimeout(timer);
    timer = setTimeout(() => controller.abort(new Error(`nothing came for ${withinMs} ms`)), withinMs);
  };
  const end = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
    controller.abort();
  };
  try {
    const signed = await sign(request);
    alive(ANSWER_WITHIN_MS);
    const response = await fetch(signed.url, {
      method: signed.method,
      headers: { ...signed.headers },
      ...(signed.body === undefined ? {} : { body: signed.body as Uint8Array<ArrayBuffer> }),
      // Credentials never follow to another host.
      redirect: 'manual',
      signal: controller.signal,
    });
    return { response, end, alive };
  } catch (error) {
    end();
    return { response: null, error };
  }
}

interface Failed {
  readonly error: unknown;
  readonly again: boolean;
  readonly waitMs?: number;
}

async function judge(
  { address, readRefusal }: HttpExchangeOptions,
  call: Call | { readonly response: null; readonly error: unknown },
  { key, signal, accept = [] }: SendOptions,
): Promise<Failed | null> {
  if (call.response === null) {
    if (signal?.aborted === true) return { error: call.error, again: false };
    // A signature or a token that cannot be had is a failure of its own, in its own words.
    const own = call.error instanceof Error && call.error.name === 'DomainError';
    return own ? { error: call.error, again: false } : { error: unreachable(address, call.error), again: true };
  }
  const { response } = call;
  if (response.ok || accept.includes(response.status)) return null;
  const body = await readText(response).catch(() => '');
  call.end();
  const refusal = readRefusal(response.status, response.headers, body);
  const passing = [408, 425, 429, 500, 502, 503, 504].includes(response.status);
  const busy = response.status === 409 && /OperationAborted|ConditionalRequestConflict/.test(refusal.code);
  const waitMs = retryAfterMs(response.headers);
  const error = refusalError(address, key, refusal);
  return { error, again: passing || busy, ...(waitMs === null ? {} : { waitMs }) };
}

/** Yields from the first answer on; a cut or stalled one is replaced by one from the next byte. */
async function* readOn(
  address: string,
  open: (at: number) => Promise<Call>,
  first: Call,
  from: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  let at = from;
  let fruitless = 0;
  for (let call = first; ; call = await open(at)) {
    try {
      call.alive(STALLED_AFTER_MS);
      for await (const chunk of (call.response.body ?? []) as AsyncIterable<Uint8Array>) {
        at += chunk.byteLength;
        fruitless = 0;
        // However slow the consumer: only waiting for the store counts as a stall.
        call.alive(ANSWER_WITHIN_MS * 10);
        yield chunk;
        call.alive(STALLED_AFTER_MS);
      }
      return;
    } catch (error) {
      signal?.throwIfAborted();
      fruitless += 1;
      if (fruitless >= ATTEMPTS_MAX) throw unreachable(address, error);
      await pause(backoffMs(fruitless), signal);
    } finally {
      call.end();
    }
  }
}

function ranged(request: StoreRequest, from: number): StoreRequest {
  return from === 0 ? request : { ...request, headers: { ...request.headers, range: `bytes=${from}-` } };
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > TEXT_BYTES_MAX) throw new Error(`the answer is longer than ${TEXT_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Full jitter: clients that failed together do not come back together. */
function backoffMs(attempt: number): number {
  return Math.random() * Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** attempt);
}

function retryAfterMs(headers: Headers): number | null {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1000, BACKOFF_MAX_MS) : null;
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(ms, undefined, signal === undefined ? {} : { signal });
}
