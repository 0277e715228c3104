import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openLoop } from '../../support/open-loop.ts';
import type { OpenLoopOptions } from '../../support/open-loop.ts';
import { row } from '../../unit/api/support/samples.ts';

const SERVER = fileURLToPath(new URL('./costly-server.ts', import.meta.url));
/** 67 predictions a second: few enough that the generator is not what is measured. */
const COST_MS = 15;
const CAPACITY = 1000 / COST_MS;
const SECONDS = 8;

interface State {
  readonly rssMb: number;
  readonly refused: number;
}

let child: ChildProcess;
let load: Omit<OpenLoopOptions, 'perSecond' | 'seconds'>;

async function state(): Promise<State> {
  child.send({});
  const [answer] = (await once(child, 'message')) as [State];
  return answer;
}

beforeAll(async () => {
  child = fork(SERVER, [String(COST_MS)], { execArgv: ['--import', 'tsx'] });
  const [{ port, key }] = (await once(child, 'message')) as [{ port: number; key: string }];
  const headers = { 'x-api-key': key, 'content-type': 'application/json' };
  load = { port, path: '/predict', body: JSON.stringify(row), headers };
  await openLoop({ ...load, perSecond: CAPACITY * 5, seconds: 3 });
});
afterAll(async () => {
  child.kill();
  await once(child, 'exit');
});

/** Asks without a pause, as a supervisor would, only more. */
async function probe(path: string, untilMs: number): Promise<readonly { status: number; ms: number }[]> {
  const seen = [];
  while (performance.now() < untilMs) {
    const sinceMs = performance.now();
    const { status } = await fetch(`http://127.0.0.1:${load.port}${path}`);
    seen.push({ status, ms: performance.now() - sinceMs });
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  return seen;
}

describe('ten times more than can be answered', () => {
  it('answers or refuses every request, says when to come again, and stays healthy', { timeout: 120_000 }, async () => {
    const before = await state();
    const untilMs = performance.now() + SECONDS * 1000;
    const [samples, ...probes] = await Promise.all([
      openLoop({ ...load, perSecond: CAPACITY * 10, seconds: SECONDS }),
      ...['/alive', '/health', '/metrics'].map((path) => probe(path, untilMs)),
    ]);
    const after = await state();
    const answered = samples.filter(({ status }) => status === 200);
    const refused = samples.filter(({ status }) => status === 503);

    // Nothing is lost: every request has one of the two answers.
    expect(answered.length + refused.length).toBe(samples.length);
    expect(answered.length).toBeGreaterThan(0);
    expect(refused.length).toBeGreaterThan(answered.length);
    expect(refused.every(({ retryAfter }) => retryAfter === '1')).toBe(true);
    expect(after.rssMb - before.rssMb).toBeLessThan(64);
    for (const seen of probes) {
      expect(seen.length).toBeGreaterThan(5);
      expect(seen.every(({ status }) => status === 200)).toBe(true);
    }
  });

  it('answers everybody again as soon as it is over', { timeout: 60_000 }, async () => {
    await openLoop({ ...load, perSecond: CAPACITY * 10, seconds: 2 });
    await openLoop({ ...load, perSecond: CAPACITY / 4, seconds: 2 });
    const samples = await openLoop({ ...load, perSecond: CAPACITY / 4, seconds: 3 });
    expect(samples.filter(({ status }) => status !== 200)).toEqual([]);
  });
});

describe('clients that hold on', () => {
  it('takes no place from others for those who never finish their body', { timeout: 60_000 }, async () => {
    const sockets = Array.from({ length: 600 }, () => {
      const socket = connect(load.port, '127.0.0.1');
      socket.on('error', () => undefined);
      const key = load.headers['x-api-key'] ?? '';
      socket.write(
        `POST /predict HTTP/1.1\r\nhost: a\r\nx-api-key: ${key}\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{`,
      );
      return socket;
    });
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    const samples = await openLoop({ ...load, perSecond: CAPACITY / 4, seconds: 2 });
    expect(samples.filter(({ status }) => status !== 200)).toEqual([]);
    for (const socket of sockets) socket.destroy();
  });
});
