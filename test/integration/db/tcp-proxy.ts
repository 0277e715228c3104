import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A line to a server that can be cut like a crash, or go silent like a lost network. */
export interface TcpProxy {
  /** The given address through the proxy. */
  readonly url: string;
  /** Resets every connection and refuses new ones. */
  cut(): Promise<void>;
  /** Holds every byte back; connections stay open. */
  silence(): void;
  restore(): Promise<void>;
  close(): Promise<void>;
}

export async function createTcpProxy(targetUrl: string): Promise<TcpProxy> {
  const target = new URL(targetUrl);
  const sockets = new Set<Socket>();
  let silent = false;
  const accept = (inbound: Socket) => {
    const outbound = connect(Number(target.port || 5432), target.hostname);
    for (const [from, to] of [
      [inbound, outbound],
      [outbound, inbound],
    ] as const) {
      sockets.add(from);
      if (silent) from.pause();
      else from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  };
  let server = createServer(accept);
  const listen = (port: number) =>
    new Promise<number>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
    });
  const port = await listen(0);
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.resetAndDestroy();
    });
  const url = new URL(targetUrl);
  url.hostname = '127.0.0.1';
  url.port = String(port);
  return {
    url: url.href,
    cut: stop,
    silence: () => {
      silent = true;
      for (const socket of sockets) socket.unpipe().pause();
    },
    restore: async () => {
      silent = false;
      if (server.listening) {
        // Whatever was held back is lost, as after a partition.
        for (const socket of sockets) socket.resetAndDestroy();
        return;
      }
      server = createServer(accept);
      await listen(port);
    },
    close: stop,
  };
}
