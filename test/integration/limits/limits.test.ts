import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApi } from '../api/api-process.ts';
import type { ApiProcess } from '../api/api-process.ts';
import type { RateTier } from '../../../domain/rate-tier.ts';

let api: ApiProcess;
beforeAll(async () => {
  api = await startApi({ SLUICE_API_PROCESSES: '3' });
});
afterAll(() => api.remove());

async function makeKey(tier: RateTier): Promise<string> {
  const made = await api.call('POST', '/keys', { name: tier, permissions: ['predict'], tier });
  return ((await made.json()) as { key: string }).key;
}

/** Each on a connection of its own, so that every process gets some. */
async function predict(key: string): Promise<{ status: number; remaining: number; retryAfter: number }> {
  const answer = await fetch(`${api.url}/models/m/predict`, {
    method: 'POST',
    headers: { 'x-api-key': key, 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({ features: { x: 1 } }),
  });
  await answer.arrayBuffer();
  const { status, headers } = answer;
  return {
    status,
    remaining: Number(headers.get('x-ratelimit-remaining')),
    retryAfter: Number(headers.get('retry-after')),
  };
}

async function overview(): Promise<{ processes: readonly { pid: number }[] }> {
  return (await (await api.call('GET', '/health/detailed')).json()) as { processes: readonly { pid: number }[] };
}

describe('limits over several processes', () => {
  it('let through exactly the limit, whoever answers', async () => {
    const key = await makeKey('free');
    const answers = [];
    for (let i = 0; i < 6; i += 1) {
      answers.push(...(await Promise.all(Array.from({ length: 50 }, () => predict(key)))));
    }
    const counts = answers.reduce<Record<number, number>>(
      (n, { status }) => ({ ...n, [status]: (n[status] ?? 0) + 1 }),
      {},
    );
    expect(counts).toEqual({ 200: 100, 429: 200 });
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.every(({ retryAfter, remaining }) => retryAfter > 0 && retryAfter <= 36 && remaining === 0)).toBe(
      true,
    );
    const metrics = await (await api.call('GET', '/metrics')).text();
    expect(metrics).toMatch(/rate_limit_exceeded_total\{tier="free"\} 200/);
  });

  it('go on with what is left when a process dies, and never give more', async () => {
    const key = await makeKey('free');
    const first = await Promise.all(Array.from({ length: 30 }, () => predict(key)));
    expect(first.every(({ status }) => status === 200)).toBe(true);
    const { processes } = await overview();
    expect(processes).toHaveLength(3);
    process.kill(processes[0]!.pid, 'SIGKILL');
    await expect
      .poll(async () => (await overview()).processes.some(({ pid }) => pid === processes[0]!.pid))
      .toBe(false);
    const rest = await Promise.allSettled(Array.from({ length: 150 }, () => predict(key)));
    const answered = rest.filter((r) => r.status === 'fulfilled' && r.value.status === 200).length;
    expect(answered).toBeLessThanOrEqual(70);
    // What the dead process held counts as used: a share of 5 % each time it asked.
    expect(answered).toBeGreaterThan(50);
  });
});
