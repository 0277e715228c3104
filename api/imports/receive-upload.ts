/** Reads the body of an import straight to disk: a model may be larger than what a serving process should hold. */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import busboy from 'busboy';
import type { Context } from 'hono';
import { DomainError } from '../../domain/errors.ts';
import { MODEL_BYTES_MAX } from '../../models/doctor/limits.ts';
import { SIGNATURE_BYTES_MAX } from '../../models/doctor/signature-file.ts';
import type { AppEnv } from '../app-env.ts';

/** 10,000 rows of 100 features as JSON lines. */
const SAMPLES_BYTES_MAX = 32 * 1024 * 1024;
/** `model`, `signature` and `samples`, each once; the parser counts the end of the form as one more. */
const PARTS_MAX = 4;
/** The parser's types do not say so, but a part need not have a name. */
type PartName = string | undefined;
const BINARY = 'application/octet-stream';
const MULTIPART = 'multipart/form-data';

export interface Upload {
  readonly onnxPath: string;
  /** SHA-256 of the model file. */
  readonly digest: string;
  readonly bytes: number;
  readonly signature: string | null;
  readonly samples: string | null;
}

/**
 * The model alone (`application/octet-stream`), or with signature and samples (`multipart/form-data`).
 * @param folder an empty one of the upload's own
 * @throws DomainError `unsupportedMediaType`, `payloadTooLarge`, `malformedRequest`
 */
export async function receiveUpload(c: Context<AppEnv>, folder: string): Promise<Upload> {
  const contentType = c.req.header('content-type') ?? '';
  const [kind] = contentType.toLowerCase().split(';');
  const onnxPath = join(folder, 'model.onnx');
  if (Number(c.req.header('content-length') ?? '0') > MODEL_BYTES_MAX + SAMPLES_BYTES_MAX + SIGNATURE_BYTES_MAX) {
    throw tooLarge('model', MODEL_BYTES_MAX);
  }
  const body = bodyOf(c);
  switch (kind?.trim()) {
    case BINARY: {
      const model = await storeModel(body, onnxPath).catch(asInterrupted);
      return { onnxPath, ...model, signature: null, samples: null };
    }
    case MULTIPART:
      return receiveParts(body, contentType, onnxPath);
    default:
      throw new DomainError('unsupportedMediaType', 'A model is sent as its bytes, or as a form with it', [
        { field: 'Content-Type', message: 'another type was sent', allowed: [BINARY, MULTIPART] },
      ]);
  }
}

/** Node's own message; without a port, in tests, the stream of the request. */
function bodyOf(c: Context<AppEnv>): Readable {
  const incoming = (c.env as Partial<AppEnv['Bindings']> | undefined)?.incoming;
  if (incoming !== undefined) return incoming;
  const { body } = c.req.raw;
  return body === null ? Readable.from([]) : Readable.fromWeb(body);
}

interface StoredModel {
  readonly digest: string;
  readonly bytes: number;
}

async function storeModel(source: Readable, path: string): Promise<StoredModel> {
  const hash = createHash('sha256');
  let bytes = 0;
  const watch = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      hash.update(chunk);
      if (bytes > MODEL_BYTES_MAX) done(tooLarge('model', MODEL_BYTES_MAX));
      else done(null, chunk);
    },
  });
  await pipeline(source, watch, createWriteStream(path));
  if (bytes === 0) throw noModel('the model file is empty');
  return { digest: hash.digest('hex'), bytes };
}

/** Parts by name. The first thing that is wrong ends it; what is still to come is not read. */
async function receiveParts(body: Readable, contentType: string, onnxPath: string): Promise<Upload> {
  const parts = new Map<string, Promise<StoredModel | string>>();
  const form = openForm(contentType);
  const failed = new Promise<never>((_, reject) => {
    const take = (name: string, read: () => Promise<StoredModel | string>): void => {
      const part = parts.has(name) ? Promise.reject(malformed(name, 'is there twice')) : read();
      parts.set(name, part);
      part.catch(reject);
    };
    // A form that ends early ends the stream of its last part as well, whether anybody reads it or not: an error that
    // nobody hears would end the process. The form's own error is the one that counts.
    form.on('error', () => undefined);
    form.on('file', (given: PartName, stream) => {
      const name = given ?? '';
      stream.on('error', () => undefined);
      take(name, () => (name === 'model' ? storeModel(stream, onnxPath) : readText(name, stream)));
    });
    form.on('field', (given: PartName, value, { valueTruncated }) => {
      const name = given ?? '';
      // Asynchronous, so that nothing is thrown into the parser's event: that would end the process.
      take(name, async () => {
        if (valueTruncated) throw tooLarge(name, SIGNATURE_BYTES_MAX);
        return Promise.resolve(checkName(name, value));
      });
    });
    form.on('partsLimit', () => reject(malformed('form', 'has more parts than model, signature and samples')));
  });
  const read = pipeline(body, form).then(() => Promise.all(parts.values()));
  // Whichever is first decides; the other's end is nobody's business any more.
  failed.catch(() => body.unpipe(form));
  await Promise.race([read, failed]).catch(asInterrupted);
  const model = await parts.get('model');
  if (model === undefined || typeof model === 'string') throw noModel('the form has no file of this name');
  const text = async (name: string): Promise<string | null> => ((await parts.get(name)) as string | undefined) ?? null;
  return { onnxPath, ...model, signature: await text('signature'), samples: await text('samples') };
}

function openForm(contentType: string): busboy.Busboy {
  try {
    const limits = { parts: PARTS_MAX, fieldSize: SIGNATURE_BYTES_MAX, headerPairs: 20 };
    return busboy({ headers: { 'content-type': contentType }, limits });
  } catch (cause) {
    throw new DomainError('malformedRequest', `The form cannot be read: ${(cause as Error).message}`);
  }
}

async function readText(name: string, stream: Readable): Promise<string> {
  const limitBytes = name === 'samples' ? SAMPLES_BYTES_MAX : SIGNATURE_BYTES_MAX;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limitBytes) throw tooLarge(name, limitBytes);
    chunks.push(chunk);
  }
  return checkName(name, Buffer.concat(chunks).toString('utf8'));
}

function checkName(name: string, value: string): string {
  if (name === 'signature' || name === 'samples') return value;
  const allowed = ['model', 'signature', 'samples'];
  throw new DomainError('malformedRequest', 'The form has a part that is not understood', [
    { field: name.slice(0, 100), message: name === 'model' ? 'must be a file' : 'is no part of an import', allowed },
  ]);
}

/** What a client that goes away leaves behind is its fault; a full disk is not. */
function asInterrupted(cause: unknown): never {
  if (cause instanceof DomainError) throw cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EACCES') {
    throw new DomainError('unavailable', `The model cannot be stored (${code})`);
  }
  throw new DomainError('malformedRequest', `The request ended before its body did: ${message}`);
}

const malformed = (field: string, message: string): DomainError =>
  new DomainError('malformedRequest', `The form cannot be used: ${field} ${message}`, [{ field, message }]);
const noModel = (message: string): DomainError =>
  new DomainError('malformedRequest', `There is no model in the request: ${message}`, [{ field: 'model', message }]);
const tooLarge = (field: string, limitBytes: number): DomainError =>
  new DomainError('payloadTooLarge', `The ${field} is larger than ${limitBytes} bytes, the limit of this operation`, [
    { field, message: `at most ${limitBytes} bytes` },
  ]);
