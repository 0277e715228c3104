/** Reads request bodies with a limit, and says what is wrong with them without quoting them. */
import { isAscii, isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { Context } from 'hono';
import { DomainError } from '../domain/errors.ts';
import type { AppEnv } from './app-env.ts';
import { findJsonFault } from './json-position.ts';
import { overloaded } from './overload/overloaded.ts';

export const JSON_TYPE = /^application\/(?:[a-z0-9.+-]+\+)?json\s*(?:;|$)/i;
const BYTE_ORDER_MARK = 0xfeff;
const NO_BYTES = Buffer.alloc(0);

const tooLarge = (limitBytes: number): DomainError =>
  new DomainError('payloadTooLarge', `The body is larger than ${limitBytes} bytes, the limit of this operation`);

const interrupted = (): DomainError => new DomainError('malformedRequest', 'The request ended before its body did');

/** @throws DomainError `payloadTooLarge`: what the header declares is refused unread */
export function checkDeclaredLength(contentLength: string | undefined, limitBytes: number): void {
  if (Number(contentLength ?? '0') > limitBytes) throw tooLarge(limitBytes);
}

/**
 * @throws DomainError `payloadTooLarge` as soon as the limit is passed (a declared length is refused unread),
 *   `malformedRequest` when the client goes away, `overloaded` when a prediction cannot be begun now
 */
export async function readBytes(c: Context<AppEnv>, limitBytes: number): Promise<Buffer> {
  const read = c.get('body');
  if (read !== undefined) return read;
  checkDeclaredLength(c.req.header('content-length'), limitBytes);
  // `env` is undefined when a test calls the app without a port.
  const incoming = (c.env as Partial<AppEnv['Bindings']> | undefined)?.incoming;
  const bytes =
    incoming === undefined
      ? await readStream(c.req.raw, limitBytes)
      : await new Promise<Buffer>((resolve, reject) => collectBody(incoming, limitBytes, resolve, reject));
  const ticket = c.get('ticket');
  if (ticket !== undefined && !ticket.begin()) throw overloaded();
  return bytes;
}

/**
 * Straight from Node's message: a web stream around it costs more than a prediction does, and a promise is one turn
 * of the queue. Calls exactly one of the two: `onLost` with `payloadTooLarge` or `malformedRequest`.
 */
export function collectBody(
  incoming: IncomingMessage,
  limitBytes: number,
  onBody: (body: Buffer) => void,
  onLost: (error: DomainError) => void,
): void {
  let body: Buffer | null = null;
  let rest: Buffer[] | null = null;
  let length = 0;
  // The listeners go with the message: taking them off costs more than looking at this.
  let isOver = false;
  const onData = (chunk: Buffer): void => {
    if (isOver) return;
    length += chunk.length;
    if (length > limitBytes) {
      isOver = true;
      onLost(tooLarge(limitBytes));
    } else if (body === null) body = chunk;
    else (rest ??= []).push(chunk);
  };
  const onEnd = (): void => {
    if (isOver) return;
    isOver = true;
    const first = body ?? NO_BYTES;
    onBody(rest === null ? first : Buffer.concat([first, ...rest], length));
  };
  const onGone = (): void => {
    if (isOver) return;
    isOver = true;
    onLost(interrupted());
  };
  incoming.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone);
  if (incoming.destroyed && !incoming.readableEnded) onGone();
}

async function readStream(request: Request, limitBytes: number): Promise<Buffer> {
  if (request.body === null) return Buffer.alloc(0);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > limitBytes) throw tooLarge(limitBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * The body as JSON.
 * @param whenEmpty what an empty body stands for; absent: a body is required
 * @throws DomainError `unsupportedMediaType`, `payloadTooLarge`, `malformedRequest` (with the position)
 */
export async function readJson(c: Context<AppEnv>, limitBytes: number, whenEmpty?: unknown): Promise<unknown> {
  const contentType = c.req.header('content-type');
  checkJsonType(contentType);
  const bytes = await readBytes(c, limitBytes);
  if (bytes.length === 0 && whenEmpty !== undefined) return whenEmpty;
  return jsonOf(bytes, contentType);
}

/** @throws DomainError `unsupportedMediaType` when another type than JSON is declared; checked before the body is read */
export function checkJsonType(contentType: string | undefined): void {
  if (contentType === undefined || contentType === 'application/json' || JSON_TYPE.test(contentType)) return;
  throw new DomainError('unsupportedMediaType', 'This operation takes JSON', [
    { field: 'Content-Type', message: 'another type was sent', allowed: ['application/json'] },
  ]);
}

/**
 * @param bytes or their text, where they were ASCII
 * @throws DomainError `unsupportedMediaType` (no type declared), `malformedRequest` (with the position)
 */
export function jsonOf(bytes: Buffer | string, contentType: string | undefined): unknown {
  if (contentType === undefined && bytes.length > 0) {
    throw new DomainError('unsupportedMediaType', 'The request does not say what its body is', [
      { field: 'Content-Type', message: 'the header is missing', allowed: ['application/json'] },
    ]);
  }
  return parseJson(bytes);
}

function textOf(bytes: Buffer): string {
  // The usual body, and the cheapest way to text.
  if (isAscii(bytes)) return bytes.toString('latin1');
  // Lone bytes would become replacement characters, and a wrong category would look like an unknown one.
  if (!isUtf8(bytes)) throw new DomainError('malformedRequest', 'The body is not UTF-8 text');
  const text = bytes.toString('utf8');
  return text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text;
}

/** @throws DomainError `malformedRequest` with the position */
export function parseJson(bytes: Buffer | string): unknown {
  const text = typeof bytes === 'string' ? bytes : textOf(bytes);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    const fault = findJsonFault(text);
    const where = fault === null ? '' : ` at line ${fault.line}, column ${fault.column}: expected ${fault.expected}`;
    throw new DomainError('malformedRequest', `The body is not JSON${where}`);
  }
}
