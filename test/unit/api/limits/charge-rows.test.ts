import { describe, expect, it, vi } from 'vitest';
import { createChargeRows } from '../../../../api/limits/charge-rows.ts';
import { createLocalLimiter } from '../../../../api/limits/create-local-limiter.ts';
import type { RateTier } from '../../../../domain/rate-tier.ts';

const NOW_MS = 1_800_000_000_000;
const HOUR_MS = 3_600_000;

function charging() {
  let nowMs = NOW_MS;
  const rateLimited = vi.fn();
  const charge = createChargeRows({
    limiter: createLocalLimiter(() => nowMs),
    metrics: { rateLimited },
    now: () => nowMs,
  });
  return {
    rateLimited,
    advance: (ms: number) => (nowMs += ms),
    charge: (rows: number, tier: RateTier = 'free') => Promise.resolve(charge({ keyId: 'k', tier }, rows)),
  };
}

describe('charging a key', () => {
  it('tells the limit, what is left and when it is full again, in both families of headers', async () => {
    const { charge } = charging();
    expect(await charge(25)).toEqual({
      refusal: null,
      headers: {
        'x-ratelimit-limit': '100',
        'x-ratelimit-remaining': '75',
        'x-ratelimit-reset': String(NOW_MS / 1000 + 900),
        'ratelimit-policy': '"hour";q=100;w=3600',
        ratelimit: '"hour";r=75;t=900',
      },
    });
  });

  it('refuses with the time until there is enough, and lets through after it', async () => {
    const { charge, advance, rateLimited } = charging();
    await charge(100);
    const { refusal, headers } = await charge(2);
    expect(refusal).toMatchObject({ code: 'rateLimited', retryAfterSeconds: 72 });
    expect(headers).toMatchObject({ 'x-ratelimit-remaining': '0', ratelimit: '"hour";r=0;t=3600' });
    expect(rateLimited.mock.calls).toEqual([['free']]);
    advance(71_000);
    expect((await charge(2)).refusal).not.toBeNull();
    advance(1_000);
    expect((await charge(2)).refusal).toBeNull();
  });

  it('allows no more than twice the limit in any hour: what was saved, and what flows in', async () => {
    const { charge, advance } = charging();
    let answered = 0;
    for (let minute = 0; minute < 60; minute += 1) {
      for (let i = 0; i < 100; i += 1) if ((await charge(1)).refusal === null) answered += 1;
      advance(HOUR_MS / 60);
    }
    expect(answered).toBeGreaterThan(190);
    expect(answered).toBeLessThanOrEqual(200);
  });

  it('calls a request that never fits invalid, not early', async () => {
    const { refusal } = await charging().charge(101);
    expect(refusal).toMatchObject({ code: 'invalidInput', problems: [{ message: 'send 100 rows at most' }] });
  });

  it('leaves unlimited keys alone', async () => {
    expect(await charging().charge(1_000_000, 'unlimited')).toEqual({ headers: null, refusal: null });
  });
});
