import { createHash } from 'node:crypto';
import { DomainError } from '../../domain/errors.ts';
import { createHttpExchange, type HttpExchange, type StoreAnswer } from './http-exchange.ts';
import { lockOf, type ObjectInfo, type ObjectStore, type PutOptions } from './object-store.ts';
import { createIntake, type Part } from './upload-parts.ts';

export interface GcsStoreOptions {
  readonly bucket: string;
  /** Ends with `/`, or is empty. */
  readonly prefix: string;
  /** `null`: Google itself. */
  readonly endpoint: string | null;
  readonly objectLock: boolean;
  /** `null`: no credentials are sent (emulators). */
  readonly token: () => Promise<string | null>;
}

interface Gcs {
  readonly http: HttpExchange;
  readonly endpoint: string;
  readonly options: GcsStoreOptions;
}

interface GcsObject {
  readonly name: string;
  readonly size: string;
  readonly updated: string;
  readonly md5Hash?: string;
  readonly retention?: { readonly retainUntilTime?: string };
  /** By the policy of the bucket. */
  readonly retentionExpirationTime?: string;
  readonly temporaryHold?: boolean;
  readonly eventBasedHold?: boolean;
}

/** Google Cloud Storage by its JSON protocol; large objects by resumable uploads, part after part. */
export function createGcsStore(options: GcsStoreOptions): ObjectStore {
  const { bucket, prefix } = options;
  const address = `gs://${bucket}/${prefix}`.replace(/\/$/, '');
  const endpoint = options.endpoint ?? 'https://storage.googleapis.com';
  const http = createHttpExchange({
    address,
    sign: async (request) => {
      const token = await options.token();
      return token === null
        ? request
        : { ...request, headers: { ...request.headers, authorization: `Bearer ${token}` } };
    },
    readRefusal: (status, _headers, body) => ({ status, ...readRefusal(status, body) }),
  });
  const gcs: Gcs = { http, endpoint, options };
  const urlOf = (key: string): string =>
    `${endpoint}/storage/v1/b/${bucket}/o/${encodeURIComponent(`${prefix}${key}`)}`;
  return {
    address,
    features: { conditionalPut: true, objectLock: options.objectLock },
    put: async (key, content, put = {}) => {
      const intake = createIntake(key, content, put);
      const first = await intake.parts.next();
      if (first.done === true) throw new DomainError('internal', `${key} has no parts`);
      await (first.value.last && !locked(gcs, put)
        ? putWhole(gcs, key, first.value.bytes, put)
        : putResumable(gcs, key, first.value, intake.parts, put));
      return { key, bytes: intake.bytes(), sha256: intake.sha256() };
    },
    get: async (key, { from = 0, signal } = {}) => {
      const answer = await http.download({ method: 'GET', url: `${urlOf(key)}?alt=media` }, from, { key, signal });
      const total = answer.headers.get('x-goog-stored-content-length');
      return {
        bytes: total === null ? Number(answer.headers.get('content-length')) + from : Number(total),
        content: answer.content,
      };
    },
    head: async (key, { signal } = {}) => {
      const { status, text } = await http.send({ method: 'GET', url: urlOf(key) }, { key, signal, accept: [404] });
      return status === 404 ? null : infoOf(JSON.parse(text) as GcsObject, prefix);
    },
    list: (listed, { after, signal } = {}) => listObjects(gcs, `${prefix}${listed}`, after, signal),
    delete: async (key, { signal } = {}) => {
      await http.send({ method: 'DELETE', url: urlOf(key) }, { key, signal, accept: [404] });
    },
    ...(options.objectLock
      ? {
          extendLock: async (key, until, { signal } = {}) => {
            const headers = { 'content-type': 'application/json' };
            const body = Buffer.from(JSON.stringify(retentionUntil(until)));
            await http.send({ method: 'PATCH', url: urlOf(key), headers, body }, { key, signal });
          },
        }
      : {}),
    close: () => Promise.resolve(),
  };
}

function readRefusal(status: number, body: string): { readonly code: string; readonly message: string } {
  try {
    const { error } = JSON.parse(body) as {
      readonly error?: { message?: string; errors?: readonly { reason?: string }[] };
    };
    const message = error?.message ?? '';
    const bucketMissing = status === 404 && /bucket/i.test(message);
    return { code: bucketMissing ? 'NoSuchBucket' : (error?.errors?.[0]?.reason ?? ''), message };
  } catch {
    return { code: '', message: body.slice(0, 200) };
  }
}

function infoOf(object: GcsObject, prefix: string): ObjectInfo {
  return {
    key: object.name.slice(prefix.length),
    bytes: Number(object.size),
    modifiedAtMs: Date.parse(object.updated),
    ...lockOf(laterOf(object), object.temporaryHold === true || object.eventBasedHold === true),
  };
}

/** An object may be kept by a lock of its own and by the bucket's policy. Both are RFC 3339 in UTC: text order is time order. */
function laterOf({ retention, retentionExpirationTime }: GcsObject): string | undefined {
  return [retention?.retainUntilTime, retentionExpirationTime]
    .flatMap((time) => time ?? [])
    .sort()
    .at(-1);
}

function uploadUrl({ endpoint, options }: Gcs, uploadType: string, key: string, put: PutOptions): string {
  const query = new URLSearchParams({ uploadType, name: `${options.prefix}${key}` });
  // Generation 0: there is none yet.
  if (put.ifNoneMatch === '*') query.set('ifGenerationMatch', '0');
  return `${endpoint}/upload/storage/v1/b/${options.bucket}/o?${query.toString()}`;
}

async function putWhole(gcs: Gcs, key: string, body: Buffer, put: PutOptions): Promise<void> {
  const url = uploadUrl(gcs, 'media', key, put);
  const headers = { 'content-type': 'application/octet-stream' };
  const answer = await gcs.http.send({ method: 'POST', url, headers, body }, { key, signal: put.signal });
  await requireMd5(gcs, key, answer, createHash('md5').update(body).digest('base64'));
}

/** The service takes parts one after the other; each but the last is a multiple of 256 kB. */
async function putResumable(
  gcs: Gcs,
  key: string,
  first: Part,
  rest: AsyncIterable<Part>,
  put: PutOptions,
): Promise<void> {
  const { http } = gcs;
  const lock = put.lockUntil !== undefined && locked(gcs, put) ? retentionUntil(put.lockUntil) : {};
  const begun = await http.send(
    {
      method: 'POST',
      url: uploadUrl(gcs, 'resumable', key, put),
      headers: { 'content-type': 'application/json', 'x-upload-content-type': 'application/octet-stream' },
      body: Buffer.from(JSON.stringify(lock)),
    },
    { key, signal: put.signal },
  );
  const session = begun.headers.get('location');
  if (session === null) throw new DomainError('unavailable', `gs://${gcs.options.bucket} began no upload of ${key}`);
  const hash = createHash('md5');
  let answer: StoreAnswer | null = null;
  try {
    for (let part: Part | undefined = first; part !== undefined; part = await next(rest)) {
      hash.update(part.bytes);
      answer = await sendPart(http, session, key, part, put.signal);
    }
  } catch (error) {
    // 499 is how the service says that it has let go of the upload.
    await http.send({ method: 'DELETE', url: session }, { key, accept: [404, 410, 499] }).catch(() => undefined);
    throw error;
  }
  if (answer !== null) await requireMd5(gcs, key, answer, hash.digest('base64'));
}

/** `Locked`: it can be made longer, never shorter. */
const retentionUntil = (until: Date) => ({ retention: { mode: 'Locked', retainUntilTime: until.toISOString() } });

/** Only the resumable upload carries the object's facts along. */
function locked({ options }: Gcs, put: PutOptions): boolean {
  return options.objectLock && put.lockUntil !== undefined;
}

async function next(parts: AsyncIterable<Part>): Promise<Part | undefined> {
  const result = await parts[Symbol.asyncIterator]().next();
  return result.done === true ? undefined : result.value;
}

async function sendPart(
  http: HttpExchange,
  session: string,
  key: string,
  { from, bytes, last }: Part,
  signal: AbortSignal | undefined,
): Promise<StoreAnswer> {
  const end = from + bytes.byteLength;
  const range = bytes.byteLength === 0 ? `bytes */${end}` : `bytes ${from}-${end - 1}/${last ? end : '*'}`;
  const request = { method: 'PUT', url: session, headers: { 'content-range': range }, body: bytes } as const;
  const answer = await http.send(request, { key, signal, accept: [308] });
  if (last || answer.status !== 308) return answer;
  // It may keep less than it was sent; the rest of this part goes again.
  const kept = /bytes=0-(\d+)/.exec(answer.headers.get('range') ?? '')?.[1];
  const keptEnd = kept === undefined ? end : Number(kept) + 1;
  if (keptEnd >= end) return answer;
  if (keptEnd <= from) throw new DomainError('unavailable', `The upload of ${key} does not move on`);
  return sendPart(
    http,
    session,
    key,
    { number: 0, from: keptEnd, bytes: bytes.subarray(keptEnd - from), last },
    signal,
  );
}

/** The service checks nothing by itself: what it says it has must be what was sent. */
async function requireMd5(gcs: Gcs, key: string, { text }: StoreAnswer, md5: string): Promise<void> {
  const { md5Hash } = JSON.parse(text) as GcsObject;
  if (md5Hash === undefined || md5Hash === md5) return;
  const { endpoint, options, http } = gcs;
  const url = `${endpoint}/storage/v1/b/${options.bucket}/o/${encodeURIComponent(`${options.prefix}${key}`)}`;
  await http.send({ method: 'DELETE', url }, { key, accept: [404] }).catch(() => undefined);
  throw new DomainError('artefactCorrupt', `${key} arrived changed in gs://${options.bucket}, and was removed`);
}

async function* listObjects(
  { http, endpoint, options }: Gcs,
  prefix: string,
  after: string | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<ObjectInfo> {
  let pageToken = '';
  do {
    const query = new URLSearchParams({ prefix, ...(pageToken === '' ? {} : { pageToken }) });
    if (after !== undefined) query.set('startOffset', `${options.prefix}${after}`);
    const url = `${endpoint}/storage/v1/b/${options.bucket}/o?${query.toString()}`;
    const { text } = await http.send({ method: 'GET', url }, { key: null, signal });
    const page = JSON.parse(text) as { readonly items?: readonly GcsObject[]; readonly nextPageToken?: string };
    for (const item of page.items ?? []) {
      const info = infoOf(item, options.prefix);
      // The offset is included in what comes.
      if (after === undefined || info.key > after) yield info;
    }
    pageToken = page.nextPageToken ?? '';
  } while (pageToken !== '');
}
