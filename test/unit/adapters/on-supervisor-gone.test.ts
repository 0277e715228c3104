import { EventEmitter } from 'node:events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { onSupervisorGone } from '../../../adapters/on-supervisor-gone.ts';

const real = globalThis.process;
afterEach(() => void vi.unstubAllGlobals());

/** A process with such a connection. */
function given(connected: boolean | undefined) {
  const events = new EventEmitter();
  const on = events.on.bind(events);
  vi.stubGlobal('process', { connected, on, nextTick: real.nextTick.bind(real) });
  const listener = vi.fn();
  onSupervisorGone(listener);
  return { events, listener, later: () => new Promise((resolve) => setImmediate(resolve)) };
}

describe('a supervisor that goes', () => {
  it('is heard of once it is gone', async () => {
    const { events, listener, later } = given(true);
    await later();
    expect(listener).not.toHaveBeenCalled();
    events.emit('disconnect');
    expect(listener).toHaveBeenCalledTimes(1);
  });

  it('is heard of when it was gone before anybody listened', async () => {
    const { listener, later } = given(false);
    await later();
    expect(listener).toHaveBeenCalledTimes(1);
  });

  it('is not missed where there never was one', async () => {
    const { listener, later } = given(undefined);
    await later();
    expect(listener).not.toHaveBeenCalled();
  });
});
