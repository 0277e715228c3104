import { createHash } from 'node:crypto';
import { AwsV4Signer } from 'aws4fetch';
import { DomainError } from '../../domain/errors.ts';
import { createHttpExchange, type HttpExchange, type StoreRequest } from './http-exchange.ts';
import { lockOf, type ObjectInfo, type ObjectStore, type PutOptions } from './object-store.ts';
import type { S3Credentials } from './credentials/s3-credentials.ts';
import { createIntake, sendParts, type Part } from './upload-parts.ts';
import { xmlElements, xmlEscaped, xmlText } from './xml-answer.ts';

export interface S3StoreOptions {
  readonly bucket: string;
  /** Ends with `/`, or is empty. */
  readonly prefix: string;
  readonly region: string;
  /** `null`: AWS itself. Others are spoken to path-style, which every S3-compatible store understands. */
  readonly endpoint: string | null;
  /** Off for stores that do not know `If-None-Match` on writes. */
  readonly conditionalPut: boolean;
  readonly objectLock: boolean;
  readonly credentials: () => Promise<S3Credentials>;
}

interface S3 {
  readonly http: HttpExchange;
  readonly urlOf: (key: string, query?: Readonly<Record<string, string>>) => string;
  readonly options: S3StoreOptions;
}

/** S3 by its REST protocol: signature version 4 with the hash of each body, so that the store checks what it received. */
export function createS3Store(options: S3StoreOptions): ObjectStore {
  const { bucket, prefix, region, endpoint } = options;
  const address = `s3://${bucket}/${prefix}`.replace(/\/$/, '');
  // Names with dots do not fit the certificate of the virtual host.
  const virtualHost = endpoint === null && !bucket.includes('.');
  const base = virtualHost
    ? `https://${bucket}.s3.${region}.amazonaws.com`
    : `${endpoint ?? `https://s3.${region}.amazonaws.com`}/${bucket}`;
  const s3: S3 = {
    options,
    urlOf: (key, query = {}) => {
      const path = key.split('/').map(encodeURIComponent).join('/');
      const search = new URLSearchParams(query).toString();
      return `${base}/${path}${search === '' ? '' : `?${search}`}`;
    },
    http: createHttpExchange({
      address,
      sign: async (request) => signed(request, region, await options.credentials()),
      readRefusal: (status, headers, body) => ({
        status,
        code: xmlText(body, 'Code') || (status === 404 ? 'NoSuchKey' : ''),
        message: [xmlText(body, 'Message'), regionHint(headers, region)].filter((text) => text !== '').join('; '),
      }),
    }),
  };
  const full = (key: string): string => `${prefix}${key}`;
  return {
    address,
    features: { conditionalPut: options.conditionalPut, objectLock: options.objectLock },
    put: async (key, content, put = {}) => {
      const intake = createIntake(key, content, put);
      const first = await intake.parts.next();
      if (first.done === true) throw new DomainError('internal', `${key} has no parts`);
      if (first.value.last) await putWhole(s3, full(key), first.value.bytes, put);
      else await putInParts(s3, full(key), first.value, intake.parts, put);
      return { key, bytes: intake.bytes(), sha256: intake.sha256() };
    },
    get: async (key, { from = 0, signal } = {}) => {
      const answer = await s3.http.download({ method: 'GET', url: s3.urlOf(full(key)) }, from, { key, signal });
      return { bytes: Number(answer.headers.get('content-length')) + from, content: answer.content };
    },
    head: async (key, { signal } = {}) => {
      const request = { method: 'HEAD', url: s3.urlOf(full(key)) } as const;
      const { status, headers } = await s3.http.send(request, { key, signal, accept: [404] });
      if (status === 404) return null;
      return {
        key,
        bytes: Number(headers.get('content-length')),
        modifiedAtMs: Date.parse(headers.get('last-modified') ?? ''),
        ...lockOf(
          headers.get('x-amz-object-lock-retain-until-date'),
          headers.get('x-amz-object-lock-legal-hold') === 'ON',
        ),
      };
    },
    list: (listed, { after, signal } = {}) => listKeys(s3, full(listed), after, signal),
    delete: async (key, { signal } = {}) => {
      await s3.http.send({ method: 'DELETE', url: s3.urlOf(full(key)) }, { key, signal, accept: [404] });
    },
    ...(options.objectLock
      ? { extendLock: (key, until, { signal } = {}) => retain(s3, full(key), until, signal) }
      : {}),
    close: () => Promise.resolve(),
  };
}

async function signed(request: StoreRequest, region: string, credentials: S3Credentials): Promise<StoreRequest> {
  const hash = createHash('sha256')
    .update(request.body ?? '')
    .digest('hex');
  const signer = new AwsV4Signer({
    ...request,
    headers: { ...request.headers, 'x-amz-content-sha256': hash },
    ...credentials,
    service: 's3',
    region,
  });
  const { method, url, headers } = await signer.sign();
  const body = request.body === undefined ? {} : { body: request.body };
  return { method: method as StoreRequest['method'], url: url.href, headers: Object.fromEntries(headers), ...body };
}

function regionHint(headers: Headers, region: string): string {
  const right = headers.get('x-amz-bucket-region');
  return right === null || right === region ? '' : `the bucket's region is ${right}`;
}

function writeHeaders({ options }: S3, put: PutOptions): Record<string, string> {
  const lock = put.lockUntil !== undefined && options.objectLock;
  return {
    'content-type': 'application/octet-stream',
    ...(lock
      ? { 'x-amz-object-lock-mode': 'COMPLIANCE', 'x-amz-object-lock-retain-until-date': put.lockUntil.toISOString() }
      : {}),
  };
}

/** Of the newest version, the one that is read. */
async function retain(s3: S3, key: string, until: Date, signal: AbortSignal | undefined): Promise<void> {
  const retention = `<Mode>COMPLIANCE</Mode><RetainUntilDate>${until.toISOString()}</RetainUntilDate>`;
  const body = Buffer.from(`<Retention xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${retention}</Retention>`);
  const headers = { 'content-type': 'application/xml', 'content-md5': createHash('md5').update(body).digest('base64') };
  await s3.http.send({ method: 'PUT', url: s3.urlOf(key, { retention: '' }), headers, body }, { key, signal });
}

function condition({ options }: S3, put: PutOptions): Record<string, string> {
  return put.ifNoneMatch === '*' && options.conditionalPut ? { 'if-none-match': '*' } : {};
}

/** The store may not keep the condition: then at least a key that is there already is seen. */
async function refuseTaken(s3: S3, key: string, put: PutOptions): Promise<void> {
  if (put.ifNoneMatch !== '*' || s3.options.conditionalPut) return;
  const request = { method: 'HEAD', url: s3.urlOf(key) } as const;
  const { status } = await s3.http.send(request, { key, signal: put.signal, accept: [404] });
  if (status !== 404) throw new DomainError('conflict', `${key} in s3://${s3.options.bucket} is there already`);
}

async function putWhole(s3: S3, key: string, body: Buffer, put: PutOptions): Promise<void> {
  await refuseTaken(s3, key, put);
  const md5 = createHash('md5').update(body).digest('base64');
  // Object lock insists on a checksum header; the signed hash alone is not one.
  const headers = { ...writeHeaders(s3, put), ...condition(s3, put), 'content-md5': md5 };
  await s3.http.send({ method: 'PUT', url: s3.urlOf(key), headers, body }, { key, signal: put.signal });
}

async function putInParts(s3: S3, key: string, first: Part, rest: AsyncIterable<Part>, put: PutOptions): Promise<void> {
  const { http, urlOf } = s3;
  await refuseTaken(s3, key, put);
  const begun = await http.send(
    { method: 'POST', url: urlOf(key, { uploads: '' }), headers: writeHeaders(s3, put) },
    { key, signal: put.signal },
  );
  const uploadId = xmlText(begun.text, 'UploadId');
  try {
    const tags = await sendParts(startingWith(first, rest), async ({ number, bytes }) => {
      const url = urlOf(key, { partNumber: String(number), uploadId });
      const answer = await http.send({ method: 'PUT', url, body: bytes }, { key, signal: put.signal });
      return answer.headers.get('etag') ?? '';
    });
    const list = tags.map((tag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${xmlEscaped(tag)}</ETag></Part>`);
    const body = Buffer.from(`<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`);
    const headers = { ...condition(s3, put), 'content-type': 'application/xml' };
    const url = urlOf(key, { uploadId });
    const answer = await http.send({ method: 'POST', url, headers, body }, { key, signal: put.signal });
    // S3 may answer 200 first and find out that it fails afterwards.
    const code = xmlText(answer.text, 'Code');
    if (code !== '') throw new DomainError('unavailable', `${key} could not be completed (${code})`);
  } catch (error) {
    // Parts of an upload nobody ends are paid for; not with the caller's signal, which may be what ended it.
    await http.send({ method: 'DELETE', url: urlOf(key, { uploadId }) }, { key, accept: [404] }).catch(() => undefined);
    throw error;
  }
}

async function* startingWith(first: Part, rest: AsyncIterable<Part>): AsyncGenerator<Part> {
  yield first;
  yield* rest;
}

async function* listKeys(
  { http, urlOf, options }: S3,
  prefix: string,
  after: string | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<ObjectInfo> {
  const query = {
    'list-type': '2',
    'encoding-type': 'url',
    prefix,
    ...(after === undefined ? {} : { 'start-after': `${options.prefix}${after}` }),
  };
  let token = '';
  do {
    const url = urlOf('', token === '' ? query : { ...query, 'continuation-token': token });
    const { text } = await http.send({ method: 'GET', url }, { key: null, signal });
    for (const item of xmlElements(text, 'Contents')) {
      yield {
        key: decodeURIComponent(xmlText(item, 'Key').replaceAll('+', ' ')).slice(options.prefix.length),
        bytes: Number(xmlText(item, 'Size')),
        modifiedAtMs: Date.parse(xmlText(item, 'LastModified')),
      };
    }
    token = xmlText(text, 'IsTruncated') === 'true' ? xmlText(text, 'NextContinuationToken') : '';
  } while (token !== '');
}
