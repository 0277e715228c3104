import type { IncomingMessage, ServerResponse } from 'node:http';
import { collectBody } from '../request-body.ts';
import { discardBody } from './discard-body.ts';
import type { BodyReceiver, Wire } from './exchange.ts';
import { readHeaders } from './request-headers.ts';
import type { RequestHeaders } from './request-headers.ts';

/** A request as Node's own server reads and answers it. */
export class NodeWire implements Wire {
  readonly headers: RequestHeaders;
  readonly #incoming: IncomingMessage;
  readonly #outgoing: ServerResponse;

  constructor(incoming: IncomingMessage, outgoing: ServerResponse) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.headers = readHeaders(incoming);
  }

  get url(): string {
    return this.#incoming.url ?? '';
  }

  receive(limitBytes: number, receiver: BodyReceiver): void {
    collectBody(
      this.#incoming,
      limitBytes,
      (bytes) => receiver.onBody(bytes),
      (error) => receiver.onLost(error),
    );
  }

  discard(): void {
    discardBody(this.#incoming);
  }

  /** Header and body leave with one write. */
  send(status: number, headers: readonly string[], requestId: string, json: string): void {
    const length = Buffer.byteLength(json);
    this.#outgoing.writeHead(status, [...headers, 'x-request-id', requestId, 'content-length', String(length)]);
    // Nothing but ASCII in it: the cheaper way to bytes.
    this.#outgoing.end(json, length === json.length ? 'latin1' : 'utf8');
  }
}
