import { describe, expect, it, vi } from 'vitest';
import type { RunningServer } from '../../../../api/server.ts';
import { answered, row } from '../support/samples.ts';
import { BODY, rawClient, setUpLane } from '../support/lane-server.ts';

describe('a plain request in the lane', () => {
  it("is answered without Node's server, again and again on one connection", async () => {
    const { server, behind, plain } = await setUpLane();
    const { send, until, statuses } = rawClient(server);
    for (let i = 1; i <= 3; i += 1) {
      send(plain());
      await until(i);
    }
    expect(statuses()).toEqual([200, 200, 200]);
    expect(behind).toEqual([]);
  });

  it('may come in two pieces, wherever it is cut', async () => {
    const { server, plain } = await setUpLane();
    const text = plain();
    const cuts = [1, 30, text.indexOf('\r\n\r\n') + 2, text.length - BODY.length, text.length - 3];
    for (const cut of cuts) {
      const { socket, send, until, statuses } = rawClient(server);
      socket.setNoDelay(true);
      send(text.slice(0, cut));
      await new Promise((resolve) => setTimeout(resolve, 20));
      send(text.slice(cut));
      await until(1);
      // The connection is good for the next one, whoever has it now.
      send(text);
      await until(2);
      expect(statuses()).toEqual([200, 200]);
    }
  });

  it('may come in many pieces', async () => {
    const { server, behind, plain } = await setUpLane();
    const { socket, send, until } = rawClient(server);
    socket.setNoDelay(true);
    for (const piece of plain().match(/[^]{1,60}/g) ?? []) {
      send(piece);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await until(1);
    expect(behind).toEqual(['POST /predict']);
  });

  it('is answered in its order when others are sent before its answer', async () => {
    const { server, serving, behind, plain, head } = await setUpLane();
    const gates: (() => void)[] = [];
    serving.predict.mockImplementation(async (_model, [request]) => {
      await new Promise<void>((resolve) => gates.push(resolve));
      return [{ ...answered, requestId: `id-of-${String(request?.entityId)}` }];
    });
    const { send, until, text } = rawClient(server);
    const of = (entity: string) => {
      const body = JSON.stringify({ ...row, entity_id: entity });
      return head('', body.length) + body;
    };
    send(of('a') + of('b') + of('c'));
    await expect.poll(() => gates.length).toBe(3);
    for (const open of gates.reverse()) open();
    await until(3);
    const ids = [...text().matchAll(/x-request-id: (\S+)/g)].map((match) => match[1]);
    expect(ids).toEqual(['id-of-a', 'id-of-b', 'id-of-c']);
    expect(behind).toEqual([]);
    send(plain());
  });

  it('is answered however many are sent at once', async () => {
    const { server, plain } = await setUpLane();
    const { send, until, statuses } = rawClient(server);
    send(plain().repeat(500));
    await until(500);
    expect(new Set(statuses())).toEqual(new Set([200]));
  });

  it('is answered before what is not plain behind it', async () => {
    const { server, behind, plain } = await setUpLane();
    const { send, until, statuses } = rawClient(server);
    send(`${plain()}${plain()}GET /alive HTTP/1.1\r\nhost: x\r\n\r\n${plain()}`);
    await until(4);
    expect(statuses()).toEqual([200, 200, 200, 200]);
    expect(behind).toEqual(['GET /alive', 'POST /predict']);
  });

  it('holds text beyond ASCII, in question and answer', async () => {
    const { server, serving, behind, head } = await setUpLane();
    serving.predict.mockResolvedValue([{ ...answered, label: 'Zoë ✓' }]);
    const body = Buffer.from(JSON.stringify({ entity_id: '月', features: { a: 1 } }));
    const { send, until, text } = rawClient(server);
    send(Buffer.concat([Buffer.from(head('', body.length)), body, Buffer.from(head('', body.length)), body]));
    await until(2);
    expect(serving.predict.mock.calls[0]?.[1][0]?.entityId).toBe('月');
    const [, headers = '', json = ''] = /^([^]*?)\r\n\r\n([^]*?)HTTP\/1\.1/.exec(text()) ?? [];
    expect(json).toContain('"label":"Zoë ✓"');
    expect(headers).toContain(`content-length: ${Buffer.byteLength(json)}`);
    expect(behind).toEqual([]);
  });
});

describe('anything else', () => {
  const length = Buffer.byteLength(BODY);
  it.each([
    ['a length and chunks', 'transfer-encoding: chunked\r\n', 400],
    ['chunks in disguise', 'Transfer-Encoding : chunked\r\n', 400],
    ['two lengths', `content-length: ${length}\r\n`, 400],
    ['two lengths that differ', 'Content-Length: 3\r\n', 400],
    ['a line end alone', 'x: 1\nx-y: 2\r\n', 400],
    ['a carriage return alone', 'x: 1\rx-y: 2\r\n', 400],
    ['a control character', 'x: \u0000\r\n', 400],
    ['a name with a space', 'x y: 1\r\n', 400],
    ['a line without a name', ': 1\r\n', 400],
    ['a folded line', 'x: 1\r\n 2\r\n', null],
    ['a wish for a go-ahead', 'expect: 100-continue\r\n', null],
    ['a wish to close', 'connection: close\r\n', 200],
    ['a compressed body', 'content-encoding: gzip\r\n', null],
    ['bytes beyond ASCII', 'x: \u00e9\r\n', 200],
    ['two keys', 'x-api-key: other\r\n', null],
    ['a second host', 'host: y\r\n', null],
    ['a large head', `x: ${'y'.repeat(5_000)}\r\n`, 200],
    ['a head over the limit', `x: ${'y'.repeat(20_000)}\r\n`, 431],
  ])("is left to Node's server: %s", async (_, more, status) => {
    const { server, withoutLane, serving, plain } = await setUpLane();
    const final = async (of: RunningServer) => {
      const { send, statuses } = rawClient(of);
      send(plain(more));
      await expect.poll(() => statuses().some((s) => s !== 100), { timeout: 5_000 }).toBe(true);
      return statuses();
    };
    const statuses = await final(server);
    // What follows must never be read as another request than Node's server reads.
    expect(await final(withoutLane)).toEqual(statuses);
    if (status !== null) expect(statuses).toEqual([status]);
    if (status !== 200 && status !== null) expect(serving.predict).not.toHaveBeenCalled();
  });

  it.each(['+5', '5 5', '0x5', '-1', '5,5', ''])('is a length of %j', async (given) => {
    const { server, serving, head } = await setUpLane();
    const { send, statuses, until } = rawClient(server);
    send(head('', given) + BODY);
    await until(1);
    expect(statuses()).toEqual([400]);
    expect(serving.predict).not.toHaveBeenCalled();
  });

  it('does not become a request by standing in a body', async () => {
    const { server, serving, behind, head, plain } = await setUpLane();
    const { send, until, statuses } = rawClient(server);
    const inner = plain();
    send(head('', inner.length) + inner + plain());
    await until(2);
    expect(statuses()).toEqual([400, 200]);
    expect(serving.predict).toHaveBeenCalledOnce();
    expect(behind).toEqual([]);
  });

  it('is a body that is too large, and the connection is good behind it', async () => {
    const { server, behind, head, plain } = await setUpLane();
    const { send, until, statuses } = rawClient(server);
    send(head('', 300 * 1024) + ' '.repeat(300 * 1024));
    await until(1);
    send(plain());
    await until(2);
    expect(statuses()).toEqual([413, 200]);
    expect(behind[0]).toBe('POST /predict');
  });
});

describe('a connection of the lane', () => {
  it('that sends nothing more is still answered', async () => {
    const { server, plain } = await setUpLane();
    const { socket, until, over } = rawClient(server, { allowHalfOpen: true });
    socket.end(plain());
    await until(1);
    await over();
  });

  it('that goes away in the middle harms nobody', async () => {
    const { server, serving, plain, head } = await setUpLane();
    let open = (): void => undefined;
    serving.predict.mockImplementationOnce(async () => {
      await new Promise<void>((resolve) => (open = resolve));
      return [answered];
    });
    const gone = rawClient(server);
    gone.send(plain());
    await expect.poll(() => serving.predict.mock.calls.length).toBe(1);
    gone.socket.destroy();
    const half = rawClient(server);
    half.send(head() + BODY.slice(0, 5));
    half.socket.destroy();
    open();
    const next = rawClient(server);
    next.send(plain());
    await next.until(1);
  });

  it('that is idle is closed, and one that never spoke is told so', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'performance'] });
    const { server, plain } = await setUpLane();
    const served = rawClient(server);
    served.send(plain());
    await served.until(1);
    const silent = rawClient(server);
    await expect.poll(() => silent.socket.readyState).toBe('open');
    vi.advanceTimersByTime(7_000);
    await served.over();
    expect(silent.statuses()).toEqual([]);
    vi.advanceTimersByTime(7_000);
    await silent.over();
    expect(silent.statuses()).toEqual([408]);
  });

  it("with a part of a request is Node's after a while, and still answered", async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'performance'] });
    const { server, behind, plain } = await setUpLane();
    const { send, until } = rawClient(server);
    send(plain().slice(0, -3));
    await new Promise((resolve) => setTimeout(resolve, 50));
    vi.advanceTimersByTime(4_000);
    await expect.poll(() => behind.length).toBe(1);
    send(plain().slice(-3));
    await until(1);
  });

  it('that does not read its answers holds no more than a few', async () => {
    const { server, serving, plain } = await setUpLane();
    const { socket, send } = rawClient(server);
    await expect.poll(() => socket.readyState).toBe('open');
    socket.pause();
    for (let i = 0; i < 100; i += 1) send(plain().repeat(200));
    // 20,000 answers are 16 MB: far more than the system buffers of one connection hold.
    let calls = -1;
    while (calls !== serving.predict.mock.calls.length) {
      calls = serving.predict.mock.calls.length;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    expect(calls).toBeLessThan(20_000);
  });
});
