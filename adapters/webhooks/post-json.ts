import { lookup as resolveName, type LookupAddress } from 'node:dns';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { DomainError, type Problem } from '../../domain/errors.ts';
import { isPublicAddress } from './address-guard.ts';

/** From the first byte sent to the last one read; a receiver that needs longer answers first and works afterwards. */
const TIMEOUT_MS = 10_000;
/** Of the answer, which nobody reads. */
const ANSWER_BYTES_MAX = 64 * 1024;
const URL_LENGTH_MAX = 2_000;

export interface PostOptions {
  /** Addresses of this machine and its network may be called too, and over plain HTTP. */
  readonly allowPrivate: boolean;
  readonly timeoutMs?: number;
  /** For tests. */
  readonly resolve?: (host: string) => Promise<readonly LookupAddress[]>;
}

/** What is wrong with an address that somebody gives, as far as it can be told without resolving it. */
export function urlProblems(text: string, { allowPrivate }: Pick<PostOptions, 'allowPrivate'>): readonly Problem[] {
  const problem = (message: string, allowed: string): Problem => ({ field: 'url', message, allowed: [allowed] });
  if (!URL.canParse(text) || text.length > URL_LENGTH_MAX) {
    return [problem('is not an address', 'https://host/path')];
  }
  const url = new URL(text);
  const problems: Problem[] = [];
  if (url.protocol !== 'https:' && !(allowPrivate && url.protocol === 'http:')) {
    problems.push(problem(`${url.protocol.slice(0, -1)} is not taken`, 'https'));
  }
  if (url.username !== '' || url.password !== '') problems.push(problem('holds a user', 'an address without one'));
  const host = hostOf(url);
  if (!allowPrivate && (isIP(host) === 0 ? /(^|\.)localhost$/i.test(host) : !isPublicAddress(host))) {
    problems.push(problem(`${host} is not an address of the public internet`, 'a public host'));
  }
  return problems;
}

const hostOf = (url: URL): string => url.hostname.replace(/^\[(.*)\]$/, '$1');

function resolveAll(host: string): Promise<readonly LookupAddress[]> {
  return new Promise((done, fail) => {
    resolveName(host, { all: true, verbatim: true }, (error, addresses) => {
      if (error === null) done(addresses);
      else fail(error);
    });
  });
}

/**
 * Posts a JSON text. The name is resolved once, every address it has must be allowed, and the connection goes to one
 * of those: a name that changes between the check and the call reaches nobody else. Redirects are not followed.
 * @throws DomainError `refused` (an address that may not be called), `unavailable` (no answer, or not a 2xx)
 */
export async function postJson(
  address: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  options: PostOptions,
): Promise<void> {
  const problems = urlProblems(address, options);
  if (problems.length > 0) throw new DomainError('refused', 'This address may not be called', problems);
  const url = new URL(address);
  const host = hostOf(url);
  const found =
    isIP(host) === 0
      ? await (options.resolve ?? resolveAll)(host).catch(() => [])
      : [{ address: host, family: isIP(host) }];
  const [pinned] = found;
  if (pinned === undefined) throw new DomainError('unavailable', `The name ${host} is not known`);
  if (!options.allowPrivate && !found.every((a) => isPublicAddress(a.address))) {
    throw new DomainError('refused', `${host} leads to an address that is not of the public internet`);
  }
  const lookup: LookupFunction = (_name, asked, callback) => {
    if (asked.all === true) callback(null, [pinned]);
    else callback(null, pinned.address, pinned.family);
  };
  const status = await send(url, body, headers, lookup, options.timeoutMs ?? TIMEOUT_MS);
  if (status >= 200 && status < 300) return;
  const redirect = status >= 300 && status < 400 ? '; redirects are not followed' : '';
  throw new DomainError('unavailable', `${host} answered with status ${status}${redirect}`);
}

function send(
  url: URL,
  body: string,
  headers: Readonly<Record<string, string>>,
  lookup: LookupFunction,
  timeoutMs: number,
): Promise<number> {
  const request = url.protocol === 'https:' ? requestHttps : requestHttp;
  const failed = (why: string) => new DomainError('unavailable', `${hostOf(url)} did not take it: ${why}`);
  return new Promise((done, fail) => {
    const outgoing = request(url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      lookup,
      agent: false,
    });
    const timer = setTimeout(() => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    outgoing.on('response', (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > ANSWER_BYTES_MAX) response.destroy();
      });
      response.on('error', () => undefined);
      response.on('close', () => {
        clearTimeout(timer);
        done(response.statusCode ?? 0);
      });
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      // The message of a connection error names the address, never the path, where the secret of a URL is.
      fail(failed(error.code ?? error.message));
    });
    outgoing.end(body);
  });
}
