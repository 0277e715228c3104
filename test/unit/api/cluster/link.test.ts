import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLink } from '../../../../api/cluster/link.ts';
import type { Channel } from '../../../../api/cluster/link.ts';

interface Upwards {
  readonly double: { readonly body: number; readonly reply: number };
  readonly [topic: string]: { readonly body: unknown; readonly reply: unknown };
}

/** Two ends of one channel; what passes is copied as between processes. */
function createPair() {
  const wire = new EventEmitter();
  let open = true;
  const end = (to: string, from: string): Channel => ({
    send: (message) => {
      if (open) setImmediate(() => wire.emit(to, JSON.parse(JSON.stringify(message))));
      return open;
    },
    onMessage: (listener) => void wire.on(from, listener),
  });
  const above = createLink<Upwards, Upwards>(end('down', 'up'));
  const below = createLink<Upwards, Upwards>(end('up', 'down'));
  return { above, below, wire, cut: () => (open = false) };
}

describe('a link', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  it('answers both ways, many at once, whatever the order of the replies', async () => {
    const { above, below } = createPair();
    const waiting: (() => void)[] = [];
    above.answer('double', (n) => new Promise((resolve) => waiting.push(() => resolve(n * 2))));
    below.answer('double', (n) => n * 2);
    const asked = [1, 2, 3].map((n) => below.ask('double', n, 1_000));
    await vi.waitFor(() => expect(waiting).toHaveLength(3));
    for (const reply of waiting.reverse()) reply();
    expect(await Promise.all(asked)).toEqual([2, 4, 6]);
    expect(await above.ask('double', 21, 1_000)).toBe(42);
  });

  it('tells why there is no answer: a failure over there, nobody who knows, nobody there, or none in time', async () => {
    const { above, below, cut } = createPair();
    above.answer('double', () => Promise.reject(new Error('cannot count')));
    await expect(below.ask('double', 1, 1_000)).rejects.toThrow('cannot count');
    await expect(below.ask('unknown', 1, 1_000)).rejects.toThrow('nobody answers to unknown');
    above.answer('double', () => new Promise(() => undefined));
    const late = expect(below.ask('double', 1, 500)).rejects.toThrow('no answer to double within 500 ms');
    vi.advanceTimersByTime(500);
    await late;
    cut();
    await expect(below.ask('double', 1, 1_000)).rejects.toThrow('the other process is gone');
  });

  it('ignores what others say on the same channel, and replies that come too late', async () => {
    const { above, below, wire } = createPair();
    for (const message of [null, 'x', 7, { type: 'rateLease.ask', id: 1 }, { link: 'reply', id: 99, reply: 1 }]) {
      wire.emit('up', message);
      wire.emit('down', message);
    }
    above.answer('double', (n) => n * 2);
    expect(await below.ask('double', 4, 1_000)).toBe(8);
  });
});
