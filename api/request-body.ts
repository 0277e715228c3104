/** Reads request bodies with a limit, and says what is wrong with them without quoting them. */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { Context } from 'hono';
import { DomainError } from '../domain/errors.ts';
import type { AppEnv } from './app-env.ts';
import { findJsonFault } from './json-position.ts';

export const JSON_TYPE = /^application\/(?:[a-z0-9.+-]+\+)?json\s*(?:;|$)/i;
const BYTE_ORDER_MARK = 0xfeff;

const tooLarge = (limitBytes: number): DomainError =>
  new DomainError('payloadTooLarge', `The body is larger than ${limitBytes} bytes, the limit of this operation`);

const interrupted = (): DomainError => new DomainError('malformedRequest', 'The request ended before its body did');

/**
 * @throws DomainError `payloadTooLarge` as soon as the limit is passed (a declared length is refused unread),
 *   `malformedRequest` when the client goes away
 */
export async function readBytes(c: Context<AppEnv>, limitBytes: number): Promise<Buffer> {
  const declared = Number(c.req.header('content-length') ?? '0');
  if (declared > limitBytes) throw tooLarge(limitBytes);
  // `env` is undefined when a test calls the app without a port.
  const incoming = (c.env as Partial<AppEnv['Bindings']> | undefined)?.incoming;
  return incoming === undefined ? readStream(c.req.raw, limitBytes) : readIncoming(incoming, limitBytes);
}

/** Straight from Node's message: a web stream around it costs more than a prediction does. */
function readIncoming(incoming: IncomingMessage, limitBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const settle = (finish: () => void): void => {
      incoming.off('data', onData).off('end', onEnd).off('error', onLost).off('close', onLost);
      finish();
    };
    const onData = (chunk: Buffer): void => {
      length += chunk.length;
      if (length > limitBytes) settle(() => reject(tooLarge(limitBytes)));
      else chunks.push(chunk);
    };
    const onEnd = (): void =>
      settle(() => resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)));
    const onLost = (): void => settle(() => reject(interrupted()));
    incoming.on('data', onData).on('end', onEnd).on('error', onLost).on('close', onLost);
    if (incoming.destroyed && !incoming.readableEnded) onLost();
  });
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
  if (contentType !== undefined && !JSON_TYPE.test(contentType)) {
    throw new DomainError('unsupportedMediaType', 'This operation takes JSON', [
      { field: 'Content-Type', message: 'another type was sent', allowed: ['application/json'] },
    ]);
  }
  const bytes = await readBytes(c, limitBytes);
  if (bytes.length === 0 && whenEmpty !== undefined) return whenEmpty;
  if (contentType === undefined && bytes.length > 0) {
    throw new DomainError('unsupportedMediaType', 'The request does not say what its body is', [
      { field: 'Content-Type', message: 'the header is missing', allowed: ['application/json'] },
    ]);
  }
  return parseJson(bytes);
}

/** @throws DomainError `malformedRequest` with the position */
export function parseJson(bytes: Buffer): unknown {
  // Lone bytes would become replacement characters, and a wrong category would look like an unknown one.
  if (!isUtf8(bytes)) throw new DomainError('malformedRequest', 'The body is not UTF-8 text');
  let text = bytes.toString('utf8');
  if (text.charCodeAt(0) === BYTE_ORDER_MARK) text = text.slice(1);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    const fault = findJsonFault(text);
    const where = fault === null ? '' : ` at line ${fault.line}, column ${fault.column}: expected ${fault.expected}`;
    throw new DomainError('malformedRequest', `The body is not JSON${where}`);
  }
}
