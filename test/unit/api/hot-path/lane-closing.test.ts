import { describe, expect, it } from 'vitest';
import { answered } from '../support/samples.ts';
import { rawClient, setUpLane } from '../support/lane-server.ts';

describe('a connection that is to close', () => {
  it('closes behind its next answer, and says so, when there are too many of them here', async () => {
    const { server, plain } = await setUpLane();
    const first = rawClient(server);
    const second = rawClient(server);
    first.send(plain());
    await first.until(1);
    expect(server.connections()).toBe(2);
    server.shed(1);
    first.send(plain());
    await first.until(2);
    await first.over();
    expect(first.text().match(/Connection: close/g)).toHaveLength(1);
    second.send(plain());
    await second.until(1);
    expect(second.text()).toContain('Connection: keep-alive');
    expect(server.connections()).toBe(1);
  });

  it('is answered first when the server drains', async () => {
    const { server, serving, plain } = await setUpLane();
    let open = (): void => undefined;
    serving.predict.mockImplementation(async () => {
      await new Promise<void>((resolve) => (open = resolve));
      return [answered];
    });
    const busy = rawClient(server);
    const idle = rawClient(server);
    await expect.poll(() => idle.socket.readyState).toBe('open');
    busy.send(plain());
    await expect.poll(() => serving.predict.mock.calls.length).toBe(1);
    const drained = server.drain();
    await new Promise((resolve) => setTimeout(resolve, 150));
    open();
    await busy.until(1);
    expect(busy.text()).toContain('Connection: close');
    await busy.over();
    await idle.over();
    expect(await drained).toEqual({ clean: true });
  });
});
