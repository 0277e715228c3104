import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LeasedLimiter } from '../../../../api/limits/leased-limiter.ts';
import { LeaseOwner } from '../../../../api/limits/lease-owner.ts';
import type { RateDecision, RateKey } from '../../../../api/limits/rate-limiter.ts';
import type { RateTier } from '../../../../domain/rate-tier.ts';

const HOUR_MS = 3_600_000;
const key = (tier: RateTier, keyId = 'k'): RateKey => ({ keyId, tier });

beforeEach(() => {
  vi.useFakeTimers({ now: 0, toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** An owner and processes, with a channel that delivers in order, each message in a turn of its own, as JSON. */
function fleet(count: number) {
  const nowMs = () => Date.now();
  const owner = new LeaseOwner(nowMs);
  const sent = { toOwner: 0, toProcesses: 0 };
  const cut = new Set<number>();
  const unchecked: string[] = [];
  const deliver = (listener: (message: unknown) => void, message: unknown) => {
    const copy: unknown = JSON.parse(JSON.stringify(message));
    setImmediate(() => listener(copy));
  };
  const processes = Array.from({ length: count }, (_, i) => {
    let hear: (message: unknown) => void = () => undefined;
    const channel = owner.attach((message) => {
      sent.toProcesses += 1;
      if (!cut.has(i)) deliver(hear, message);
    });
    const limiter = new LeasedLimiter({
      send: (message) => {
        sent.toOwner += 1;
        if (!cut.has(i)) deliver((received) => channel.receive(received), message);
      },
      listen: (listener) => (hear = listener),
      nowMs,
      onUnchecked: (tier) => unchecked.push(tier),
    });
    return { limiter, channel };
  });
  return {
    processes,
    sent,
    cut,
    unchecked,
    take: (i: number, rows: number, who: RateKey) => Promise.resolve(processes[i]!.limiter.take(who, rows)),
  };
}

/** Settles promises whose messages go through `setImmediate`, which is not faked. */
const settled = async <T>(promises: readonly Promise<T>[]): Promise<readonly T[]> => Promise.all(promises);
const granted = (decisions: readonly RateDecision[]) => decisions.filter((d) => d.kind === 'granted').length;

describe('leased limits', () => {
  it('let through exactly the limit, however the requests fall on the processes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.record({ process: fc.nat(3), rows: fc.integer({ min: 1, max: 5 }) }), {
          minLength: 60,
          maxLength: 120,
        }),
        async (count, asks) => {
          vi.setSystemTime(0);
          const { take, processes } = fleet(count);
          let left = 100;
          for (const { process, rows } of asks) {
            const { kind } = await take(process % count, rows, key('free'));
            expect(kind).toBe(rows <= left ? 'granted' : 'refused');
            if (rows <= left) left -= rows;
          }
          processes.forEach((p) => p.limiter.close());
        },
      ),
      { numRuns: 30 },
    );
  });

  it('let through exactly the limit when everybody asks at once', async () => {
    const { take } = fleet(4);
    const asks = Array.from({ length: 400 }, (_, i) => take(i % 4, 1, key('free')));
    expect(granted(await settled(asks))).toBe(100);
  });

  it('ask the owner once per grant, not once per request', async () => {
    const { take, sent } = fleet(2);
    for (let i = 0; i < 2_000; i += 1) await take(i % 2, 1, key('enterprise'));
    // 200 tokens a grant.
    expect(sent.toOwner).toBeLessThanOrEqual(12);
  });

  it('answer at once while a grant lasts, and when the key is known to be used up', async () => {
    const { processes, take } = fleet(1);
    await take(0, 1, key('premium'));
    expect(processes[0]!.limiter.take(key('premium'), 1)).toMatchObject({ kind: 'granted', remaining: 9_998 });
    await take(0, 100, key('free', 'other'));
    expect(await take(0, 1, key('free', 'other'))).toMatchObject({ kind: 'refused', remaining: 0 });
    expect(processes[0]!.limiter.take(key('free', 'other'), 1)).toMatchObject({
      kind: 'refused',
      waitMs: HOUR_MS / 100,
    });
  });

  it('get what flows in, and no more', async () => {
    const { take } = fleet(2);
    await take(0, 100, key('free'));
    expect((await take(1, 1, key('free'))).kind).toBe('refused');
    vi.setSystemTime(HOUR_MS / 100 - 1);
    expect((await take(1, 1, key('free'))).kind).toBe('refused');
    vi.setSystemTime(HOUR_MS / 100);
    expect((await take(1, 1, key('free'))).kind).toBe('granted');
    expect((await take(0, 1, key('free'))).kind).toBe('refused');
  });

  it('never let keys pay for each other', async () => {
    const { take } = fleet(2);
    await take(0, 100, key('free', 'a'));
    expect((await take(0, 1, key('free', 'a'))).kind).toBe('refused');
    expect((await take(0, 100, key('free', 'b'))).kind).toBe('granted');
  });

  it('say that a request larger than the limit never fits', async () => {
    const { take, sent } = fleet(1);
    expect(await take(0, 101, key('free'))).toMatchObject({ kind: 'refused', waitMs: Infinity });
    expect(sent.toOwner).toBe(0);
  });

  it('return what is not used, so that another process has it without asking', async () => {
    const { take, sent } = fleet(2);
    await take(0, 1, key('basic'));
    vi.advanceTimersByTime(1_500);
    await new Promise(setImmediate);
    const before = sent.toProcesses;
    expect((await take(1, 999, key('basic'))).kind).toBe('granted');
    // The answer alone: nothing had to be called back.
    expect(sent.toProcesses - before).toBe(1);
  });

  it('call back what other processes hold unused before they refuse', async () => {
    const { take } = fleet(3);
    await take(0, 1, key('basic'));
    await take(1, 1, key('basic'));
    expect((await take(2, 998, key('basic'))).kind).toBe('granted');
    expect((await take(0, 1, key('basic'))).kind).toBe('refused');
  });

  it('count what a dead process held as used, and go on', async () => {
    const { take, processes, cut } = fleet(2);
    await take(0, 1, key('basic'));
    cut.add(0);
    processes[0]!.channel.detach();
    // 5 % of 999 went with it.
    expect((await take(1, 951, key('basic'))).kind).toBe('refused');
    expect((await take(1, 950, key('basic'))).kind).toBe('granted');
  });

  it('do not wait for a process that hangs', async () => {
    const { take, cut } = fleet(2);
    await take(0, 1, key('basic'));
    cut.add(0);
    const asked = take(1, 951, key('basic'));
    await new Promise(setImmediate);
    vi.advanceTimersByTime(50);
    expect((await asked).kind).toBe('refused');
  });

  it('fall back to a bucket of their own while the owner does not answer', async () => {
    const { take, cut, processes, unchecked } = fleet(1);
    cut.add(0);
    const first = take(0, 1, key('free'));
    vi.advanceTimersByTime(200);
    expect((await first).kind).toBe('granted');
    // From now on without waiting.
    const decisions = Array.from({ length: 150 }, () => processes[0]!.limiter.take(key('free'), 1) as RateDecision);
    expect(granted(decisions)).toBe(99);
    expect(unchecked).toHaveLength(151);
  });

  it('know no limit for unlimited keys', async () => {
    const { take, sent } = fleet(1);
    expect(await take(0, 1_000_000, key('unlimited'))).toEqual({ kind: 'unlimited' });
    expect(sent.toOwner).toBe(0);
  });
});
