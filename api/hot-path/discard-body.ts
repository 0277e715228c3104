import type { IncomingMessage } from 'node:http';

/** A refused client gets this long to notice: a socket closed on a sender takes the answer with it. */
const DISCARD_LIMIT_MS = 500;
const DISCARD_LIMIT_BYTES = 64 * 1024 * 1024;

/** Reads a refused body to nowhere so that the connection can go on; cuts the connection off when there is no end. */
export function discardBody(incoming: IncomingMessage): void {
  if (incoming.destroyed || incoming.readableEnded) return;
  let bytes = 0;
  const cut = (): void => {
    stop();
    incoming.socket.destroySoon();
  };
  const onData = (chunk: Buffer): void => {
    bytes += chunk.length;
    if (bytes > DISCARD_LIMIT_BYTES) cut();
  };
  const timer = setTimeout(cut, DISCARD_LIMIT_MS);
  timer.unref();
  const stop = (): void => {
    clearTimeout(timer);
    incoming.off('data', onData).off('end', stop).off('close', stop).off('error', stop);
  };
  incoming.on('data', onData).on('end', stop).on('close', stop).on('error', stop).resume();
}
