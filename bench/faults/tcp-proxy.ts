/** A line to a server that can be slow, go silent, or break. */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** Every piece of data comes so much later, each way. */
  delay(ms: number): void;
  /** Nothing comes through any more; connections stay open. */
  stall(): void;
  /** Resets the connections there are; new ones are taken. */
  reset(): void;
  /** Resets all, and refuses new ones. */
  cut(): Promise<void>;
  /** Lets everything through again. What was held back is lost, as after a partition. */
  restore(): Promise<void>;
  close(): Promise<void>;
}

export async function createTcpProxy(target: { readonly host: string; readonly port: number }): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let delayMs = 0;
  let stalled = false;

  function pass(from: Socket, to: Socket): void {
    sockets.add(from);
    from.setNoDelay(true);
    // Timers of one delay keep their order.
    from.on('data', (piece: Buffer) => {
      if (stalled) return;
      if (delayMs === 0) to.write(piece);
      else setTimeout(() => to.writable && to.write(piece), delayMs);
    });
    from.on('error', () => to.destroy());
    from.on('close', () => {
      sockets.delete(from);
      to.destroy();
    });
  }

  function accept(inbound: Socket): void {
    const outbound = connect(target.port, target.host);
    pass(inbound, outbound);
    pass(outbound, inbound);
  }

  let server = createServer(accept);
  const listen = (port: number): Promise<number> =>
    new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
    });
  const port = await listen(0);
  const reset = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const cut = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      reset();
    });
  return {
    port,
    delay: (ms) => (delayMs = ms),
    stall: () => (stalled = true),
    reset,
    cut,
    restore: async () => {
      if (stalled) reset();
      stalled = false;
      delayMs = 0;
      if (server.listening) return;
      server = createServer(accept);
      await listen(port);
    },
    close: cut,
  };
}
