/** The body of a compatibility route: bytes, inflated when the client compressed them. */
import { promisify } from 'node:util';
import { gunzip, inflate, inflateRaw } from 'node:zlib';
import type { Context } from 'hono';
import { DomainError } from '../../domain/errors.ts';
import type { AppEnv } from '../app-env.ts';
import { readBytes } from '../request-body.ts';

/** 1,000 rows of 4 KiB, as for the native batch; compressed or not, and again after inflating. */
export const CONTENT_LIMIT_BYTES = 4 * 1024 * 1024;
const ENCODINGS = ['gzip', 'deflate', 'identity'];
/** The compression method in a zlib header (RFC 1950, CM); some clients send raw DEFLATE without that header. */
const ZLIB_METHOD = 8;

const gunzipBytes = promisify(gunzip);
const inflateBytes = promisify(inflate);
const inflateRawBytes = promisify(inflateRaw);

/**
 * @throws DomainError `payloadTooLarge` (sent, or inflated), `malformedRequest` (not what `Content-Encoding` says, or
 *   cut off), `unsupportedMediaType` (another encoding)
 */
export async function readContent(c: Context<AppEnv>, limitBytes: number = CONTENT_LIMIT_BYTES): Promise<Buffer> {
  const encoding = (c.req.header('content-encoding') ?? 'identity').trim().toLowerCase();
  if (!ENCODINGS.includes(encoding)) {
    throw new DomainError('unsupportedMediaType', 'The body is encoded in a way that is not read here', [
      { field: 'Content-Encoding', message: 'another encoding was named', allowed: ENCODINGS },
    ]);
  }
  const bytes = await readBytes(c, limitBytes);
  return encoding === 'identity' ? bytes : inflateBounded(bytes, encoding, limitBytes);
}

/** Bounded by what comes out: a few kilobytes can inflate to gigabytes. */
async function inflateBounded(bytes: Buffer, encoding: string, limitBytes: number): Promise<Buffer> {
  const options = { maxOutputLength: limitBytes };
  try {
    if (encoding === 'gzip') return await gunzipBytes(bytes, options);
    const hasHeader = ((bytes[0] ?? 0) & 0x0f) === ZLIB_METHOD;
    return await (hasHeader ? inflateBytes : inflateRawBytes)(bytes, options);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new DomainError('payloadTooLarge', `The body inflates to more than ${limitBytes} bytes, the limit here`);
    }
    throw new DomainError('malformedRequest', `The body is not what Content-Encoding says: ${encoding}`);
  }
}
