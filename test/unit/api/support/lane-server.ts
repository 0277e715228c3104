import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { afterEach, expect, vi } from 'vitest';
import { createHotPath } from '../../../../api/hot-path/create-hot-path.ts';
import { prepareLane } from '../../../../api/hot-path/create-lane.ts';
import { startServer } from '../../../../api/server.ts';
import type { RunningServer } from '../../../../api/server.ts';
import { row } from './samples.ts';
import { createTestApp } from './test-app.ts';

const running: RunningServer[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(running.splice(0).map((server) => server.drain()));
  vi.useRealTimers();
});

export const BODY = JSON.stringify(row);

/** A server with the lane, ended with the test; `behind` counts what Node's own server got. */
export async function setUpLane() {
  const test = await createTestApp();
  const { serving, metrics, keys, log, protection } = test;
  const deps = { serving, metrics, keys, log, protection };
  const hotPath = createHotPath(deps);
  const behind: string[] = [];
  const server = await startServer(test.app.fetch, {
    host: '127.0.0.1',
    port: 0,
    hotPath: (incoming, outgoing) => {
      behind.push(`${incoming.method} ${incoming.url}`);
      return hotPath(incoming, outgoing);
    },
    lane: prepareLane(deps),
  });
  const withoutLane = await startServer(test.app.fetch, { host: '127.0.0.1', port: 0, hotPath });
  running.push(server, withoutLane);
  const head = (more = '', length: number | string = Buffer.byteLength(BODY)) =>
    `POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nx-api-key: ${test.keyOf.predict}\r\n` +
    `${more}content-length: ${length}\r\n\r\n`;
  return { ...test, server, withoutLane, behind, head, plain: (more = '') => head(more) + BODY };
}

/** A client that writes bytes as they are, and reads what comes back. */
export function rawClient({ port }: { readonly port: number }, options: { allowHalfOpen?: boolean } = {}) {
  const socket = connect({ port, host: '127.0.0.1', ...options });
  sockets.push(socket);
  let text = '';
  let isOver = false;
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
  socket.on('close', () => (isOver = true)).on('end', () => (isOver = true));
  socket.on('error', () => undefined);
  const statuses = () => [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1]));
  return {
    socket,
    send: (what: string | Buffer) => void socket.write(what, 'latin1'),
    text: () => text,
    statuses,
    until: (count: number) => expect.poll(() => statuses().length, { timeout: 5_000 }).toBe(count),
    over: () => expect.poll(() => isOver, { timeout: 8_000 }).toBe(true),
  };
}
