/**
 * A stand-in for Google Cloud Storage, by the reference of its JSON API: media and resumable uploads, generation
 * preconditions, ranges, ordered listings in small pages, locks of single objects (without versions). It is no server of Google's: what it proves is that the driver
 * speaks the protocol as it is written down. (The emulators that others made keep no order or no preconditions.)
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** So small that every test of a listing turns pages. */
const PAGE_KEYS = 2;
const GRANULE_BYTES = 256 * 1024;

interface Retention {
  readonly mode: string;
  readonly retainUntilTime: string;
}

interface Upload {
  readonly name: string;
  readonly retention: Retention | null;
  readonly fresh: boolean;
  bytes: Buffer;
}

export interface FakeGcs {
  readonly endpoint: string;
  readonly objects: Map<string, Buffer>;
  readonly retentions: Map<string, Retention>;
  /** Of the next part of a resumable upload, only so many bytes are kept. */
  keepNextPart: (bytes: number) => void;
  readonly stop: () => Promise<void>;
}

export async function startFakeGcs(bucket: string): Promise<FakeGcs> {
  const objects = new Map<string, Buffer>();
  const retentions = new Map<string, Retention>();
  const uploads = new Map<string, Upload>();
  let keep: number | null = null;
  const server = createServer((request, response) => {
    void answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
  });

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '', 'http://gcs');
    const [, root, ...rest] = url.pathname.split('/');
    const body = await bodyOf(request);
    const at = rest.indexOf('b') + 1;
    if (root === 'session') {
      part(request, response, rest[0] ?? '', body);
      return;
    }
    if (rest[at] !== bucket) {
      refuse(response, 404, 'notFound', 'The specified bucket does not exist.');
      return;
    }
    const name = decodeURIComponent(rest[at + 2] ?? '');
    if (root === 'upload') {
      begin(url, response, body);
      return;
    }
    if (name === '') {
      list(url, response);
      return;
    }
    const found = objects.get(name);
    if (found === undefined) {
      refuse(response, 404, 'notFound', `No such object: ${bucket}/${name}`);
      return;
    }
    const kept = retentions.get(name);
    if (request.method === 'DELETE') {
      if (kept !== undefined && Date.parse(kept.retainUntilTime) > Date.now()) {
        refuse(response, 403, 'forbidden', `Object '${name}' is subject to an object retention and cannot be deleted`);
        return;
      }
      objects.delete(name);
      retentions.delete(name);
      response.writeHead(204).end();
    } else if (request.method === 'PATCH') {
      const { retention } = JSON.parse(body.toString('utf8')) as { readonly retention: Retention };
      if (kept !== undefined && retention.retainUntilTime < kept.retainUntilTime) {
        refuse(response, 403, 'forbidden', `The object retention of '${name}' is locked and cannot be made shorter`);
        return;
      }
      retentions.set(name, retention);
      json(response, factsOf(name, found));
    } else if (url.searchParams.get('alt') === 'media') {
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      response.writeHead(from === 0 ? 200 : 206, { 'x-goog-stored-content-length': found.byteLength });
      response.end(found.subarray(from));
    } else json(response, factsOf(name, found));
  };

  const factsOf = (name: string, bytes: Buffer): object => {
    const retention = retentions.get(name);
    return { ...facts(name, bytes), ...(retention === undefined ? {} : { retention }) };
  };

  const begin = (url: URL, response: ServerResponse, body: Buffer): void => {
    const name = url.searchParams.get('name') ?? '';
    const fresh = url.searchParams.get('ifGenerationMatch') === '0';
    if (url.searchParams.get('uploadType') === 'media') {
      store(response, { name, fresh, retention: null, bytes: body });
      return;
    }
    if (fresh && objects.has(name)) {
      refuse(response, 412, 'conditionNotMet', 'precondition');
      return;
    }
    const id = String(uploads.size + 1);
    const { retention = null } = JSON.parse(body.toString('utf8')) as { readonly retention?: Retention };
    uploads.set(id, { name, fresh, retention, bytes: Buffer.alloc(0) });
    response.writeHead(200, { location: `${endpoint}/session/${id}` }).end();
  };

  const part = (request: IncomingMessage, response: ServerResponse, id: string, body: Buffer): void => {
    const upload = uploads.get(id);
    if (upload === undefined) {
      refuse(response, 404, 'notFound', 'no such upload');
      return;
    }
    if (request.method === 'DELETE') {
      uploads.delete(id);
      response.writeHead(499).end();
      return;
    }
    const range = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/.exec(request.headers['content-range'] ?? '');
    const [, from = '0', , total = '*'] = range ?? [];
    if (range === null || (body.byteLength > 0 && Number(from) !== upload.bytes.byteLength)) {
      refuse(response, 400, 'invalid', `a part out of order: ${String(request.headers['content-range'])}`);
      return;
    }
    if (total === '*' && body.byteLength % GRANULE_BYTES !== 0) {
      refuse(response, 400, 'invalid', 'not in 256 KiB');
      return;
    }
    upload.bytes = Buffer.concat([upload.bytes, body.subarray(0, keep ?? body.byteLength)]);
    keep = null;
    if (total === '*' || upload.bytes.byteLength < Number(total)) {
      const end = upload.bytes.byteLength - 1;
      response.writeHead(308, end >= 0 ? { range: `bytes=0-${end}` } : {}).end();
      return;
    }
    uploads.delete(id);
    store(response, upload);
  };

  const store = (response: ServerResponse, { name, fresh, retention, bytes }: Upload): void => {
    if (fresh && objects.has(name)) {
      refuse(response, 412, 'conditionNotMet', 'precondition');
      return;
    }
    objects.set(name, bytes);
    if (retention !== null) retentions.set(name, retention);
    json(response, factsOf(name, bytes));
  };

  const list = (url: URL, response: ServerResponse): void => {
    const query = (name: string): string => url.searchParams.get(name) ?? '';
    const names = [...objects.keys()]
      .filter((name) => name.startsWith(query('prefix')) && name >= query('startOffset') && name > query('pageToken'))
      .sort();
    const page = names.slice(0, PAGE_KEYS);
    const items = page.map((name) => factsOf(name, objects.get(name) ?? Buffer.alloc(0)));
    json(response, { items, ...(names.length > page.length ? { nextPageToken: page.at(-1) } : {}) });
  };

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    endpoint,
    objects,
    retentions,
    keepNextPart: (bytes) => (keep = bytes),
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function facts(name: string, bytes: Buffer): object {
  const md5Hash = createHash('md5').update(bytes).digest('base64');
  return { name, size: String(bytes.byteLength), updated: new Date().toISOString(), md5Hash };
}

function json(response: ServerResponse, body: object): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function refuse(response: ServerResponse, status: number, reason: string, message: string): void {
  const error = { code: status, message, errors: [{ reason }] };
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
