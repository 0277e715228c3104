import type { Socket } from 'node:net';
import { createHotPathParts } from './create-hot-path.ts';
import type { HotPathDeps } from './create-hot-path.ts';
import { Exchange } from './exchange.ts';
import { LaneConnection } from './lane-connection.ts';
import type { LaneHost } from './lane-connection.ts';
import { createAnswerWriter } from './raw-answer.ts';
import { createHeadReader } from './raw-head.ts';

/** How often connections are looked at for idle and slow ones. */
const SWEEP_EVERY_MS = 1_000;
/** A part of a request waits this long for its rest before Node's server, with its own limits, has it. */
const REST_WAIT_MS = 2_000;
/** A client that does not read its answers. */
const UNREAD_ANSWERS_MS = 30_000;
const TIMED_OUT = 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n';

export interface LaneLimits {
  /** Until the first byte of the first request. */
  readonly firstByteMs: number;
  /** Between requests. */
  readonly keepAliveMs: number;
}

/** Takes connections before Node's server does, and keeps those that send nothing but plain predictions. */
export interface Lane {
  /** @param handOver gives a connection to Node's server, with what it has sent and nobody has used */
  take(socket: Socket, handOver: (socket: Socket, unread: Buffer) => void): void;
  /** From now on every answer says that its connection closes behind it. */
  announceClose(): void;
  /** The next `count` answers say so, and their connections close. */
  shed(count: number): void;
  closeIdle(): void;
  closeAll(): void;
}

export type CreateLane = (limits: LaneLimits) => Lane;

/** @returns how the server makes its lane, with its own limits */
export function prepareLane(deps: HotPathDeps): CreateLane {
  const { exchangeDeps, endpointOf } = createHotPathParts(deps);
  return (limits) => {
    const connections = new Map<LaneConnection, (socket: Socket, unread: Buffer) => void>();
    const answers = createAnswerWriter(limits.keepAliveMs);
    let closing = false;
    let toShed = 0;
    const host: LaneHost = {
      readHead: createHeadReader(endpointOf),
      begin: (head, wire) => new Exchange(exchangeDeps, head.endpoint, wire).begin(),
      answerText: (status, headers, requestId, json, tail) => answers.write(status, headers, requestId, json, tail),
      isClosing: () => closing,
      sheds: () => {
        if (toShed === 0) return false;
        toShed -= 1;
        return true;
      },
      handOver: (connection, socket, unread) => {
        const give = connections.get(connection);
        connections.delete(connection);
        give?.(socket, unread);
      },
      forget: (connection) => connections.delete(connection),
    };
    setInterval(() => sweep(connections.keys(), limits), SWEEP_EVERY_MS).unref();
    return {
      take: (socket, handOver) => void connections.set(new LaneConnection(host, socket), handOver),
      announceClose: () => {
        closing = true;
      },
      shed: (count) => {
        toShed = count;
      },
      closeIdle: () => {
        for (const connection of connections.keys()) if (connection.isIdle) connection.destroy();
      },
      closeAll: () => {
        for (const connection of connections.keys()) connection.destroy();
      },
    };
  };
}

function sweep(connections: Iterable<LaneConnection>, { firstByteMs, keepAliveMs }: LaneLimits): void {
  const nowMs = performance.now();
  for (const connection of connections) {
    const quietMs = nowMs - connection.activeAtMs;
    if (connection.isIdle) {
      if (connection.hasServed && quietMs > keepAliveMs) connection.destroy();
      else if (quietMs > firstByteMs) connection.closeWith(TIMED_OUT);
    } else if (connection.isHeldUp) {
      if (connection.isUnread && quietMs > REST_WAIT_MS) connection.leave();
      else if (quietMs > UNREAD_ANSWERS_MS) connection.destroy();
    }
  }
}
