import { Agent, request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { startServer } from '../../../api/server.ts';
import type { RunningServer } from '../../../api/server.ts';
import { createTestApp } from '../../unit/api/support/test-app.ts';
import { answered, row } from '../../unit/api/support/samples.ts';

const running: RunningServer[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.drain()));
});

async function setUp(drainLimitMs?: number) {
  const test = await createTestApp();
  const options = { host: '127.0.0.1', port: 0, ...(drainLimitMs === undefined ? {} : { drainLimitMs }) };
  const server = await startServer(test.app.fetch, options);
  running.push(server);
  const url = `http://127.0.0.1:${server.port}`;
  const headers = { 'x-api-key': test.keyOf.predict, 'content-type': 'application/json' };
  const predict = (body: string | Uint8Array = JSON.stringify(row), extra: Record<string, string> = {}) =>
    fetch(`${url}/predict`, { method: 'POST', headers: { ...headers, ...extra }, body: body as never });
  return { ...test, server, url, headers, predict };
}

/** Sends bytes as they are and resolves with everything that comes back. */
function talk(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    socket.on('end', () => resolve(answer));
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });
}

describe('the server', () => {
  it('answers over a real connection, with length and id', async () => {
    const { predict } = await setUp();
    const answer = await predict();
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ model_version: 1 });
    expect(answer.headers.get('content-length')).not.toBeNull();
    expect(answer.headers.get('x-frame-options')).toBe('DENY');
  });

  it('reads bodies that come in pieces, and refuses them at the limit while they come', async () => {
    const { server, keyOf, serving } = await setUp();
    const send = (pieces: readonly Buffer[]): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const path = { port: server.port, host: '127.0.0.1', path: '/predict', method: 'POST' };
        const headers = { 'x-api-key': keyOf.predict, 'content-type': 'application/json' };
        const outgoing = request({ ...path, headers }, (incoming: IncomingMessage) => {
          incoming.resume();
          resolve(incoming.statusCode);
        });
        outgoing.on('error', reject);
        for (const piece of pieces) outgoing.write(piece);
        outgoing.end();
      });
    const whole = Buffer.from(JSON.stringify(row));
    expect(await send([whole.subarray(0, 10), whole.subarray(10, 11), whole.subarray(11)])).toBe(200);
    expect(serving.predict).toHaveBeenCalledOnce();
    const spaces = Buffer.alloc(64 * 1024, ' ');
    expect(await send([spaces, spaces, spaces, spaces, Buffer.from(' ')])).toBe(413);
    expect(serving.predict).toHaveBeenCalledOnce();
  });

  it('stays up when a client goes away in the middle of its body', async () => {
    const { server, headers, predict, serving } = await setUp();
    const head = `POST /predict HTTP/1.1\r\nhost: x\r\nx-api-key: ${headers['x-api-key']}\r\n`;
    await new Promise<void>((resolve) => {
      const socket = connect(server.port, '127.0.0.1', () => {
        socket.write(`${head}content-type: application/json\r\ncontent-length: 100\r\n\r\n{"feat`, () => {
          socket.destroy();
          resolve();
        });
      });
    });
    expect((await predict()).status).toBe(200);
    expect(serving.predict).toHaveBeenCalledOnce();
  });

  it.each(['GET /health HTTP/1.1\r\n\r\n', 'nonsense\r\n\r\n', 'GET / HTTP/1.1\r\nhost: a\r\nx: \u0000\r\n\r\n'])(
    'refuses what is not HTTP (%j)',
    async (text) => {
      const { server } = await setUp();
      expect(await talk(server.port, text)).toMatch(/^HTTP\/1\.1 400 /);
    },
  );

  it('refuses headers over the limit', async () => {
    const { server } = await setUp();
    const text = `GET /health HTTP/1.1\r\nhost: a\r\nx-long: ${'x'.repeat(20_000)}\r\n\r\n`;
    expect(await talk(server.port, text)).toMatch(/^HTTP\/1\.1 431 /);
  });

  it('says that its address is taken', async () => {
    const { server, app } = await setUp();
    await expect(startServer(app.fetch, { host: '127.0.0.1', port: server.port })).rejects.toThrow('EADDRINUSE');
  });
});

describe('draining', () => {
  it('answers what is in flight, and takes nothing new', async () => {
    const { server, serving, predict, url } = await setUp();
    let finish = (): void => undefined;
    const gate = new Promise<void>((resolve) => (finish = resolve));
    serving.predict.mockImplementation(async () => {
      await gate;
      return [answered];
    });
    const inFlight = [predict(), predict(), predict()];
    await expect.poll(() => serving.predict.mock.calls.length).toBe(3);
    const drained = server.drain();
    await expect(fetch(`${url}/health`)).rejects.toThrow();
    finish();
    const answers = await Promise.all(inFlight);
    expect(answers.map((a) => a.status)).toEqual([200, 200, 200]);
    expect(await drained).toEqual({ clean: true });
  });

  it('does not wait for connections that are only kept alive', async () => {
    const { server, url } = await setUp();
    const agent = new Agent({ keepAlive: true });
    await new Promise<void>((resolve, reject) => {
      request(`${url}/health`, { agent }, (incoming) => {
        incoming.resume().on('end', resolve);
      })
        .on('error', reject)
        .end();
    });
    const startedAt = performance.now();
    expect(await server.drain()).toEqual({ clean: true });
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    agent.destroy();
  });

  it('cuts off what does not end within the limit', async () => {
    const { server, serving, predict } = await setUp(200);
    serving.predict.mockReturnValue(new Promise(() => undefined));
    const cut = expect(predict()).rejects.toThrow();
    await expect.poll(() => serving.predict.mock.calls.length).toBe(1);
    expect(await server.drain()).toEqual({ clean: false });
    await cut;
  });
});
