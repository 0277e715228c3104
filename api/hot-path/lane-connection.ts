import { isAscii } from 'node:buffer';
import type { Socket } from 'node:net';
import type { BodyReceiver, Wire } from './exchange.ts';
import { HEAD_CHARS_MAX, HEAD_END } from './raw-head.ts';
import type { AnswerTail } from './raw-answer.ts';
import type { RawHead } from './raw-head.ts';
import type { RequestHeaders } from './request-headers.ts';

/** Requests of one connection that may be at work at a time, sent without waiting for answers. */
const PIPELINED_MAX = 64;
const NOTHING = Buffer.alloc(0);

/** What a connection asks of its lane. */
export interface LaneHost {
  readHead(text: string): RawHead | null;
  /** Answers a request by `wire.send`, at once or later. */
  begin(head: RawHead, wire: Wire): void;
  answerText(status: number, headers: readonly string[], requestId: string, json: string, tail: AnswerTail): string;
  /** Clients are told not to come back on their connection. */
  isClosing(): boolean;
  /** This one client is told so, as there are too many connections here. */
  sheds(): boolean;
  /** Takes the connection for good; `unread` is what came and was not used. */
  handOver(connection: LaneConnection, socket: Socket, unread: Buffer): void;
  forget(connection: LaneConnection): void;
}

/**
 * A connection in the lane: takes requests that came whole and are of the plain form, and answers them in their order.
 * At the first byte of anything else it waits for the answers that are due and hands the connection over.
 */
export class LaneConnection {
  /** When something came or went last, `performance.now()`. */
  activeAtMs = performance.now();
  readonly #host: LaneHost;
  readonly #socket: Socket;
  /** Not answered or not sent yet, in the order they came. */
  readonly #wires: RawWire[] = [];
  #unread: Buffer = NOTHING;
  /** What is unread is not for the lane. */
  #isLeaving = false;
  #isHalfClosed = false;
  #hasServed = false;
  /** Its client has been told that it closes. */
  #isLast = false;
  /** Answers that come at once do not go on with what is just being taken. */
  #isTaking = false;

  constructor(host: LaneHost, socket: Socket) {
    this.#host = host;
    this.#socket = socket;
    socket.on('data', this.#onData).on('end', this.#onEnd).on('drain', this.#onDrain);
    socket.on('error', this.#onError).on('close', this.#onClose);
  }

  get isIdle(): boolean {
    return this.#wires.length === 0 && this.#unread.length === 0 && this.#socket.writableLength === 0;
  }

  /** A part of a request waits for the rest of it, or answers for a client that reads them. */
  get isHeldUp(): boolean {
    return this.#wires.length === 0 && !this.isIdle;
  }

  get isUnread(): boolean {
    return this.#unread.length > 0;
  }

  get hasServed(): boolean {
    return this.#hasServed;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Says something last, whatever the client has sent. */
  closeWith(text: string): void {
    this.#socket.write(text, 'latin1');
    this.#socket.destroySoon();
  }

  /** Whether the client is told with this answer that the connection closes behind it. */
  endsWith(wire: RawWire): boolean {
    // Something that came waits behind it.
    if (this.#wires[this.#wires.length - 1] !== wire || this.#unread.length > 0) return false;
    this.#isLast = this.#host.isClosing() || this.#host.sheds();
    return this.#isLast;
  }

  /** Leaves the connection, with what is unread of it, to Node's server. Only while nothing is at work. */
  leave(): void {
    const socket = this.#socket;
    // There is nothing more to read for whoever takes it.
    if (this.#isHalfClosed) {
      socket.destroySoon();
      return;
    }
    socket.off('data', this.#onData).off('end', this.#onEnd).off('drain', this.#onDrain);
    socket.off('error', this.#onError).off('close', this.#onClose);
    const unread = this.#unread;
    this.#unread = NOTHING;
    this.#host.handOver(this, socket, unread);
  }

  /** A request's answer is there; those behind it may be waiting for it. */
  onAnswered(): void {
    const wires = this.#wires;
    let text = '';
    let isAsciiText = true;
    for (let wire = wires[0]; wire?.answer != null; wire = wires[0]) {
      text = text === '' ? wire.answer : text + wire.answer;
      isAsciiText &&= wire.isAscii;
      wires.shift();
    }
    if (text === '') return;
    this.activeAtMs = performance.now();
    const hasRoom = this.#write(text, isAsciiText ? 'latin1' : 'utf8');
    if (wires.length === 0 && !this.#isTaking) this.#goOn(hasRoom);
  }

  /** All answers are on their way. */
  #goOn(hasRoom: boolean): void {
    const isOver = this.#isLast || this.#host.isClosing();
    if (this.#isHalfClosed || (isOver && this.#unread.length === 0)) this.#socket.destroySoon();
    else if (hasRoom && (this.#isLeaving || this.#unread.length > 0)) this.#takeUnread();
  }

  #write(text: string, encoding: 'latin1' | 'utf8'): boolean {
    const socket = this.#socket;
    if (socket.destroyed) return false;
    const hasRoom = socket.write(text, encoding);
    if (!hasRoom) socket.pause();
    return hasRoom;
  }

  readonly #onData = (chunk: Buffer): void => {
    this.activeAtMs = performance.now();
    const wasWaiting = this.#unread.length > 0;
    this.#unread = wasWaiting ? Buffer.concat([this.#unread, chunk]) : chunk;
    const taken = this.#isLeaving ? 0 : this.#take();
    // Two pieces are a head and a body; a client that needs more of them is in no hurry.
    if (wasWaiting && taken === 0) this.#isLeaving = true;
    this.#leaveOrPause();
  };

  /** Takes the whole plain requests at the front of what is unread; returns their number. */
  #take(): number {
    const bytes = this.#unread;
    this.#unread = NOTHING;
    const isText = isAscii(bytes);
    const text = bytes.toString('latin1');
    let at = 0;
    let taken = 0;
    this.#isTaking = true;
    while (at < bytes.length && this.#wires.length < PIPELINED_MAX) {
      const head = this.#headAt(text, at);
      if (head === null) {
        this.#isLeaving = true;
        break;
      }
      const from = text.indexOf(HEAD_END, at) + HEAD_END.length;
      const end = from + head.bodyBytes;
      if (end > bytes.length) break;
      at = end;
      taken += 1;
      this.#begin(head, isText ? text.slice(from, end) : bytes.subarray(from, end));
    }
    this.#isTaking = false;
    if (at < bytes.length) this.#unread = at === 0 ? bytes : bytes.subarray(at);
    return taken;
  }

  #headAt(text: string, at: number): RawHead | null {
    const end = text.indexOf(HEAD_END, at);
    return end === -1 || end - at > HEAD_CHARS_MAX ? null : this.#host.readHead(text.slice(at, end));
  }

  #begin(head: RawHead, body: Buffer | string): void {
    const wire = new RawWire(this, this.#host, head, body);
    this.#hasServed = true;
    this.#wires.push(wire);
    this.#host.begin(head, wire);
  }

  #takeUnread(): void {
    this.#socket.resume();
    if (!this.#isLeaving) this.#take();
    this.#leaveOrPause();
  }

  #leaveOrPause(): void {
    if (this.#isLeaving && this.#wires.length === 0) this.leave();
    else if (this.#isLeaving || this.#wires.length >= PIPELINED_MAX) this.#socket.pause();
  }

  readonly #onDrain = (): void => {
    if (this.#isLeaving || this.#unread.length > 0) {
      if (this.#wires.length === 0) this.#goOn(true);
    } else this.#socket.resume();
  };

  /** The client sends no more; what it has sent is answered all the same. */
  readonly #onEnd = (): void => {
    this.#isHalfClosed = true;
    if (this.#wires.length === 0) this.#socket.destroySoon();
  };

  readonly #onError = (): void => {
    this.#socket.destroy();
  };

  readonly #onClose = (): void => {
    this.#host.forget(this);
  };
}

/** One request of a connection in the lane. */
class RawWire implements Wire {
  readonly headers: RequestHeaders;
  readonly url: string;
  /** `null` until it is there. */
  answer: string | null = null;
  isAscii = true;
  readonly #connection: LaneConnection;
  readonly #host: LaneHost;
  readonly #body: Buffer | string;

  constructor(connection: LaneConnection, host: LaneHost, head: RawHead, body: Buffer | string) {
    this.#connection = connection;
    this.#host = host;
    this.#body = body;
    this.headers = head.headers;
    this.url = head.url;
  }

  receive(_limitBytes: number, receiver: BodyReceiver): void {
    receiver.onBody(this.#body);
  }

  /** All of it is there. */
  discard(): void {
    return;
  }

  send(status: number, headers: readonly string[], requestId: string, json: string): void {
    const bodyBytes = Buffer.byteLength(json);
    this.isAscii = bodyBytes === json.length;
    const isLast = this.#connection.endsWith(this);
    this.answer = this.#host.answerText(status, headers, requestId, json, { bodyBytes, isLast });
    this.#connection.onAnswered();
  }
}
