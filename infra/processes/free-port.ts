import { createServer } from 'node:net';

export async function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return (await listenOnce(port, host)) !== null;
}

/** The preferred port when it is free, else one that the system picks (never one of `except`). */
export async function freePort(preferred: number, host = '127.0.0.1', except: readonly number[] = []): Promise<number> {
  if (preferred !== 0 && !except.includes(preferred) && (await isPortFree(preferred, host))) return preferred;
  for (;;) {
    const port = await listenOnce(0, host);
    if (port === null) throw new Error(`No port can be opened on ${host}`);
    if (!except.includes(port)) return port;
  }
}

function listenOnce(port: number, host: string): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen({ port, host, exclusive: true }, () => {
      const address = server.address();
      const taken = typeof address === 'object' && address !== null ? address.port : port;
      server.close(() => resolve(taken));
    });
  });
}
