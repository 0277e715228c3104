import { createHash, createHmac } from 'node:crypto';
import { DomainError } from '../../domain/errors.ts';
import type { AzureCredentials } from './credentials/azure-credentials.ts';
import { createHttpExchange, type HttpExchange, type StoreRequest } from './http-exchange.ts';
import { lockOf, type ObjectInfo, type ObjectStore, type PutOptions } from './object-store.ts';
import { createIntake, sendParts, type Part } from './upload-parts.ts';
import { xmlElements, xmlText } from './xml-answer.ts';

/** Old enough for Azure Stack and the emulator, new enough for blocks of 4,000 MB and for immutability. */
const API_VERSION = '2021-12-02';

export interface AzureStoreOptions {
  readonly account: string;
  readonly container: string;
  /** Ends with `/`, or is empty. */
  readonly prefix: string;
  /** `null`: Azure itself. Else the address of the blob service with the account in its path, as emulators have it. */
  readonly endpoint: string | null;
  readonly objectLock: boolean;
  readonly credentials: () => Promise<AzureCredentials>;
}

interface Azure {
  readonly http: HttpExchange;
  readonly urlOf: (key: string, query?: Readonly<Record<string, string>>) => string;
  readonly options: AzureStoreOptions;
}

/** Azure Blob by its REST protocol: block blobs, shared key, SAS or token. */
export function createAzureStore(options: AzureStoreOptions): ObjectStore {
  const { account, container, prefix, endpoint } = options;
  const address = `azure://${account}/${container}/${prefix}`.replace(/\/$/, '');
  const base = `${endpoint ?? `https://${account}.blob.core.windows.net`}/${container}`;
  const azure: Azure = {
    options,
    urlOf: (key, query = {}) => {
      const path = key === '' ? '' : `/${key.split('/').map(encodeURIComponent).join('/')}`;
      const search = new URLSearchParams(query).toString();
      return `${base}${path}${search === '' ? '' : `?${search}`}`;
    },
    http: createHttpExchange({
      address,
      sign: async (request) => signed(request, account, await options.credentials()),
      readRefusal: (status, headers, body) => ({
        status,
        code: headers.get('x-ms-error-code') ?? xmlText(body, 'Code'),
        message: xmlText(body, 'Message').split('\n')[0] ?? '',
      }),
    }),
  };
  const full = (key: string): string => `${prefix}${key}`;
  return {
    address,
    features: { conditionalPut: true, objectLock: options.objectLock },
    put: async (key, content, put = {}) => {
      const intake = createIntake(key, content, put);
      const first = await intake.parts.next();
      if (first.done === true) throw new DomainError('internal', `${key} has no parts`);
      if (first.value.last) await putWhole(azure, full(key), first.value.bytes, put);
      else await putBlocks(azure, full(key), first.value, intake.parts, put);
      return { key, bytes: intake.bytes(), sha256: intake.sha256() };
    },
    get: async (key, { from = 0, signal } = {}) => {
      const answer = await azure.http.download({ method: 'GET', url: azure.urlOf(full(key)) }, from, { key, signal });
      return { bytes: Number(answer.headers.get('content-length')) + from, content: answer.content };
    },
    head: async (key, { signal } = {}) => {
      const request = { method: 'HEAD', url: azure.urlOf(full(key)) } as const;
      const { status, headers } = await azure.http.send(request, { key, signal, accept: [404] });
      if (status === 404) return null;
      const modifiedAtMs = Date.parse(headers.get('last-modified') ?? '');
      const lock = lockOf(
        headers.get('x-ms-immutability-policy-until-date'),
        headers.get('x-ms-legal-hold') === 'true',
      );
      return { key, bytes: Number(headers.get('content-length')), modifiedAtMs, ...lock };
    },
    list: (listed, { after, signal } = {}) => listBlobs(azure, full(listed), after, signal),
    delete: async (key, { signal } = {}) => {
      await azure.http.send({ method: 'DELETE', url: azure.urlOf(full(key)) }, { key, signal, accept: [404] });
    },
    ...(options.objectLock
      ? {
          // A policy of a version may be extended as often as one likes; one of a container only five times.
          extendLock: async (key, until, { signal } = {}) => {
            const url = azure.urlOf(full(key), { comp: 'immutabilityPolicies' });
            await azure.http.send({ method: 'PUT', url, headers: immutability(until) }, { key, signal });
          },
        }
      : {}),
    close: () => Promise.resolve(),
  };
}

/**
 * Shared key: HMAC-SHA256 over method, headers and resource, as "Authorize with Shared Key" in Microsoft's reference
 * of the blob service lays down. A SAS goes into the query, a token into the header.
 */
function signed(request: StoreRequest, account: string, credentials: AzureCredentials): StoreRequest {
  const headers: Record<string, string> = {
    ...request.headers,
    'x-ms-date': new Date().toUTCString(),
    'x-ms-version': API_VERSION,
  };
  if (credentials.kind === 'token')
    return { ...request, headers: { ...headers, authorization: `Bearer ${credentials.token}` } };
  if (credentials.kind === 'sas') {
    const joint = request.url.includes('?') ? '&' : '?';
    return { ...request, url: `${request.url}${joint}${credentials.sas}`, headers };
  }
  const url = new URL(request.url);
  const length = request.body?.byteLength ?? 0;
  const own = ['content-md5', 'content-type', 'if-match', 'if-none-match', 'range'];
  const [md5, type, ifMatch, ifNoneMatch, range] = own.map((name) => headers[name] ?? '');
  const canonicalHeaders = Object.keys(headers)
    .filter((name) => name.startsWith('x-ms-'))
    .sort()
    .map((name) => `${name}:${headers[name] ?? ''}`);
  const query = [...url.searchParams].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => `${name}:${value}`);
  const lines = [
    request.method,
    // Content-Encoding, Content-Language, Content-Length.
    ...['', '', length === 0 ? '' : String(length)],
    md5,
    type,
    // Date is x-ms-date.
    '',
    // If-Modified-Since, If-Match, If-None-Match, If-Unmodified-Since, Range.
    ...['', ifMatch, ifNoneMatch, '', range],
    ...canonicalHeaders,
    [`/${account}${url.pathname}`, ...query].join('\n'),
  ];
  const signature = createHmac('sha256', Buffer.from(credentials.key, 'base64'))
    .update(lines.join('\n'))
    .digest('base64');
  return { ...request, headers: { ...headers, authorization: `SharedKey ${account}:${signature}` } };
}

function writeHeaders({ options }: Azure, put: PutOptions): Record<string, string> {
  return {
    ...(put.ifNoneMatch === '*' ? { 'if-none-match': '*' } : {}),
    ...(put.lockUntil !== undefined && options.objectLock ? immutability(put.lockUntil) : {}),
  };
}

/** An `unlocked` policy could be taken off by whoever has the key of the account. */
function immutability(until: Date): Record<string, string> {
  return {
    'x-ms-immutability-policy-until-date': until.toUTCString(),
    'x-ms-immutability-policy-mode': 'locked',
  };
}

async function putWhole(azure: Azure, key: string, body: Buffer, put: PutOptions): Promise<void> {
  const headers = {
    ...writeHeaders(azure, put),
    'content-type': 'application/octet-stream',
    'content-md5': createHash('md5').update(body).digest('base64'),
    'x-ms-blob-type': 'BlockBlob',
  };
  await azure.http.send({ method: 'PUT', url: azure.urlOf(key), headers, body }, { key, signal: put.signal });
}

/** Blocks that are in no list when an upload ends badly are cleared by the store within a week. */
async function putBlocks(
  azure: Azure,
  key: string,
  first: Part,
  rest: AsyncIterable<Part>,
  put: PutOptions,
): Promise<void> {
  const { http, urlOf } = azure;
  // Early, before gigabytes go; the list below insists on it for good.
  if (put.ifNoneMatch === '*') {
    const request = { method: 'HEAD', url: urlOf(key) } as const;
    const { status } = await http.send(request, { key, signal: put.signal, accept: [404] });
    if (status !== 404) throw new DomainError('conflict', `${key} in ${azure.options.container} is there already`);
  }
  async function* parts(): AsyncGenerator<Part> {
    yield first;
    yield* rest;
  }
  const ids = await sendParts(parts(), async ({ number, bytes }) => {
    const blockid = Buffer.from(String(number).padStart(8, '0')).toString('base64');
    const headers = {
      'content-md5': createHash('md5').update(bytes).digest('base64'),
      'content-type': 'application/octet-stream',
    };
    const url = urlOf(key, { comp: 'block', blockid });
    await http.send({ method: 'PUT', url, headers, body: bytes }, { key, signal: put.signal });
    return blockid;
  });
  const list = ids.map((id) => `<Latest>${id}</Latest>`).join('');
  const body = Buffer.from(`<?xml version="1.0" encoding="utf-8"?><BlockList>${list}</BlockList>`);
  const headers = { ...writeHeaders(azure, put), 'content-type': 'application/xml' };
  const url = urlOf(key, { comp: 'blocklist' });
  await http.send({ method: 'PUT', url, headers, body }, { key, signal: put.signal });
}

async function* listBlobs(
  { http, urlOf, options }: Azure,
  prefix: string,
  after: string | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<ObjectInfo> {
  let marker = '';
  do {
    const query = { restype: 'container', comp: 'list', prefix, ...(marker === '' ? {} : { marker }) };
    const { text } = await http.send({ method: 'GET', url: urlOf('', query) }, { key: null, signal });
    for (const item of xmlElements(text, 'Blob')) {
      const key = xmlText(item, 'Name').slice(options.prefix.length);
      // The store knows no start key: pages before it are read and passed over.
      if (after !== undefined && key <= after) continue;
      yield {
        key,
        bytes: Number(xmlText(item, 'Content-Length')),
        modifiedAtMs: Date.parse(xmlText(item, 'Last-Modified')),
      };
    }
    marker = xmlText(text, 'NextMarker');
  } while (marker !== '');
}
