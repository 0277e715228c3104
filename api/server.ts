import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { HotPath } from './hot-path/create-hot-path.ts';
import type { CreateLane, Lane } from './hot-path/create-lane.ts';

type FetchCallback = Parameters<typeof getRequestListener>[0];

/** A client that needs longer for its headers holds a connection on purpose. Node's default is 60 s. */
const HEADERS_TIMEOUT_MS = 10_000;
/** A whole request, body included: 4 MiB at 1.1 Mbit/s. Node's default is 300 s. */
const REQUEST_TIMEOUT_MS = 30_000;
/**
 * How long an idle connection is kept. Short, because idle ones count against the cap below; clients are told by the
 * `Keep-Alive` header and do not reuse a connection in its last moment. A load balancer that keeps idle connections
 * longer than this answers 502 now and then: set its own idle timeout below five seconds.
 */
const KEEP_ALIVE_TIMEOUT_MS = 5_000;
/** Far above a hundred users at once; at about 50 kB each they stay below 100 MB. */
const CONNECTIONS_MAX = 2_000;
const HEADER_BYTES_MAX = 16 * 1024;
/** In-flight requests get this long when the process stops; the slowest is a command with its deadline of 10 s. */
const DRAIN_LIMIT_MS = 10_500;
/**
 * Clients are told to come back elsewhere only when the port is closed for certain: in a cluster the primary closes it,
 * and whoever came back before would be turned away without an answer.
 */
const DRAIN_ANNOUNCE_MS = 50;
/** How long open connections may still send a request after the port has closed: far above a round trip. */
const DRAIN_GRACE_MS = 1_000;
/** How often connections that have become idle are closed while draining. */
const DRAIN_SWEEP_MS = 50;

export interface RunningServer {
  readonly port: number;
  /** Accepts nothing new, lets requests in flight end, closes what is left after the limit. */
  drain(): Promise<{ readonly clean: boolean }>;
  /** Open connections. */
  connections(): number;
  /** Closes so many of those that are in use, each behind an answer that says so; their clients come back. */
  shed(count: number): void;
}

export interface ServerOptions {
  readonly host: string;
  readonly port: number;
  /** Asked first; absent: everything goes to `fetch`. */
  readonly hotPath?: HotPath;
  /** Has connections before Node's server; absent: that has them all. */
  readonly lane?: CreateLane;
  readonly drainLimitMs?: number;
}

/** @throws the listen error (address in use, not available) */
export async function startServer(fetch: FetchCallback, options: ServerOptions): Promise<RunningServer> {
  let announced = false;
  const listener = getRequestListener(fetch, { hostname: options.host });
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      maxHeaderSize: HEADER_BYTES_MAX,
    },
    (incoming: IncomingMessage, outgoing: ServerResponse) => {
      // Tells the client to open its next connection elsewhere.
      if (announced) outgoing.setHeader('connection', 'close');
      if (options.hotPath?.(incoming, outgoing) !== true) void listener(incoming, outgoing);
    },
  );
  const lane = options.lane === undefined ? null : putInFront(server, options.lane);
  // Not by `maxConnections`: in a cluster a full process hands a connection back, and full ones hand it around for good.
  let connections = 0;
  server.on('connection', (socket: Socket) => {
    connections += 1;
    socket.once('close', () => (connections -= 1));
    if (connections > CONNECTIONS_MAX) socket.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    shed: (count) => lane?.shed(count),
    drain: () => {
      setTimeout(() => {
        announced = true;
        lane?.announceClose();
      }, DRAIN_ANNOUNCE_MS);
      return closeServer(server, lane, options.drainLimitMs ?? DRAIN_LIMIT_MS);
    },
  };
}

/** Gives connections to the lane first. What it hands over goes on as if it had come to Node's server itself. */
function putInFront(server: Server, createLane: CreateLane): Lane {
  const lane = createLane({ firstByteMs: HEADERS_TIMEOUT_MS, keepAliveMs: KEEP_ALIVE_TIMEOUT_MS });
  const own = server.listeners('connection') as ((this: Server, socket: Socket) => void)[];
  server.removeAllListeners('connection');
  const handOver = (socket: Socket, unread: Buffer): void => {
    for (const listener of own) listener.call(server, socket);
    if (unread.length > 0) socket.unshift(unread);
    socket.resume();
  };
  server.on('connection', (socket: Socket) => lane.take(socket, handOver));
  return lane;
}

/**
 * Ends in three steps. The port closes first; open connections stay for a moment, in which a request that is on its
 * way is still answered, with `Connection: close`; only then are idle ones closed. (`server.close()` alone closes them
 * at once, and drops what has just been sent on them.)
 */
async function closeServer(server: Server, lane: Lane | null, limitMs: number): Promise<{ clean: boolean }> {
  let clean = true;
  const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()));
  let sweep: NodeJS.Timeout | undefined;
  const grace = setTimeout(
    () => {
      server.close();
      lane?.closeIdle();
      sweep = setInterval(() => {
        server.closeIdleConnections();
        lane?.closeIdle();
      }, DRAIN_SWEEP_MS);
    },
    Math.min(DRAIN_GRACE_MS, limitMs),
  );
  const limit = setTimeout(() => {
    clean = false;
    server.closeAllConnections();
    lane?.closeAll();
  }, limitMs);
  await closed;
  clearTimeout(grace);
  clearInterval(sweep);
  clearTimeout(limit);
  return { clean };
}
