import type { ChildProcess, SendHandle, Serializable } from 'node:child_process';

/** What `node:cluster` sends with a connection that it hands to a process, which replies with `ack` when it has it. */
interface ClusterMessage {
  readonly cmd?: unknown;
  readonly act?: unknown;
  readonly seq?: unknown;
  readonly ack?: unknown;
}

/** What a process has replied before its end is read within this. Its end is no moment for it: `disconnect` may not come. */
const LAST_REPLIES_MS = 100;

/**
 * A process that is killed while a connection is on its way to it never says that it has it, and `node:cluster` waits
 * for that for good: the client would hang with an open connection that nobody reads (Node 20 to 24,
 * `lib/internal/cluster/round_robin_handle.js`). This gives the answer of a process that is closing in its place, which
 * makes the primary hand the connection to another one. The process has read nothing from it: it replies before it reads.
 */
export function handBackConnections(child: ChildProcess): void {
  // Bounded by `node:cluster`: a process is handed a connection when it has taken the one before.
  const onTheirWay = new Set<number>();
  const send = child.send.bind(child) as (...all: unknown[]) => boolean;
  child.send = (message: Serializable, ...rest: (SendHandle | object | undefined)[]): boolean => {
    const { cmd, act, seq } = message as ClusterMessage;
    if (cmd === 'NODE_CLUSTER' && act === 'newconn' && typeof seq === 'number') onTheirWay.add(seq);
    return send(message, ...rest);
  };
  child.on('internalMessage', ({ ack }: ClusterMessage) => {
    if (typeof ack === 'number') onTheirWay.delete(ack);
  });
  child.once('exit', () => {
    setTimeout(() => {
      for (const seq of [...onTheirWay]) {
        child.emit('internalMessage', { cmd: 'NODE_CLUSTER', ack: seq, accepted: false }, undefined);
      }
      onTheirWay.clear();
    }, LAST_REPLIES_MS).unref();
  });
}
