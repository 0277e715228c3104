import cluster from 'node:cluster';
import { fileURLToPath } from 'node:url';
import type { Exit, ServingProcess } from './fleet.ts';
import { handBackConnections } from './hand-back-connections.ts';
import { createLink } from './link.ts';
import type { Channel } from './link.ts';

export interface ForkOptions {
  readonly module: URL;
  readonly heapMb: number;
}

/**
 * Prepares `node:cluster` and gives the function that forks one serving process. The primary accepts connections and
 * deals them out in turn, so that 32 connections become 16 and 16; a process that hangs gets one at most.
 */
export function createForker({ module, heapMb }: ForkOptions): () => ServingProcess {
  cluster.schedulingPolicy = cluster.SCHED_RR;
  cluster.setupPrimary({
    exec: fileURLToPath(module),
    args: [],
    execArgv: [...process.execArgv, `--max-old-space-size=${heapMb}`],
  });
  return () => {
    const worker = cluster.fork();
    handBackConnections(worker.process);
    // A send to a process that has just died is no news: its exit is.
    worker.on('error', () => undefined);
    const channel: Channel = {
      send: (message) => {
        if (!worker.isConnected()) return false;
        worker.send(message);
        return true;
      },
      onMessage: (listener) => void worker.on('message', listener),
    };
    return {
      pid: worker.process.pid ?? 0,
      channel,
      link: createLink(channel),
      exited: new Promise<Exit>((resolve) => {
        worker.once('exit', (code: number | null, signal: NodeJS.Signals | null) => resolve({ code, signal }));
      }),
      kill: (signal) => void worker.process.kill(signal),
    };
  };
}
