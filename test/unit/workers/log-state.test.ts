import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createMetrics } from '../../../adapters/metrics.ts';
import { readRecoveryStatus, type RecoveryStatus } from '../../../adapters/recovery-status.ts';
import type { LogState } from '../../../domain/recovery/log-state.ts';
import { startShipping, type ShippingOptions } from '../../../workers/ship-continuously.ts';
import { watchRecovery } from '../../../workers/watch-recovery.ts';

const logger = () => ({ info: vi.fn(), warn: vi.fn(), error: vi.fn() });
/** Nothing listens there. */
const NOWHERE = 'postgres://127.0.0.1:1/none';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'log-state-'));
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(home, { recursive: true, force: true });
});

/** The worker's look at backups whose log has come to this, and the metrics that the API makes of it. */
async function watched(states: readonly LogState[]) {
  const log = logger();
  const stop = new AbortController();
  let at = 0;
  const sets = { newestMs: Date.now(), complete: null, problem: null };
  const verifiedSets = () => Promise.resolve(new Map([['far', sets]]));
  const logState = () => states[Math.min(at, states.length - 1)] ?? null;
  const backups = { shipping: () => [], verifiedSets, logState };
  const drills = () => Promise.resolve([]);
  watchRecovery({ home, backups, drills, drilled: false, log: log as never }, stop.signal);
  const seen: (RecoveryStatus | null)[] = [];
  for (; at < states.length; at++) {
    await vi.advanceTimersByTimeAsync(10_000);
    await vi.waitFor(() => expect(readRecoveryStatus(home)?.log).toBe(states[at]), { timeout: 5_000 });
    seen.push(readRecoveryStatus(home));
    // The look is over a moment after its file is there.
    await new Promise((done) => setTimeout(done, 20));
  }
  stop.abort();
  const metrics = createMetrics();
  metrics.watchRecovery(() => seen.at(-1) ?? null);
  return { log, text: await metrics.text() };
}

describe('a log that is not shipped', () => {
  it('raises one alarm as long as the database allows no replication, and is a metric', async () => {
    const { log, text } = await watched(['refused', 'refused']);
    expect(log.error).toHaveBeenCalledTimes(1);
    expect(log.error.mock.calls[0]).toMatchObject([
      { objective: 'dataLoss', state: 'refused' },
      expect.stringContaining('logical copies') as string,
    ]);
    expect(text).toContain('backup_log_shipped{state="refused"} 0');
  });

  it.each([['shipped', 1] as const, ['off', 0] as const])('raises none when it is %s', async (state, value) => {
    const { log, text } = await watched([state]);
    expect(log.error).not.toHaveBeenCalled();
    expect(text).toContain(`backup_log_shipped{state="${state}"} ${value}`);
  });

  it('says when it is shipped again', async () => {
    const { log } = await watched(['failed', 'shipped']);
    expect(log.error).toHaveBeenCalledTimes(1);
    expect(log.info).toHaveBeenCalledTimes(1);
  });

  const terms = { bounded: false };
  it.each([
    ['refused', 'bounded', 'forbidden'],
    ['unbounded', 'bounded', terms],
    ['off', 'off', 'forbidden'],
    ['shipped', 'always', terms],
  ] as const)('is %s where the settings say %s and the database %o', async (state, shipLog, said) => {
    const onLogState = vi.fn();
    const options = {
      ...{ databaseUrl: NOWHERE, terms: said, log: logger(), shippers: new Map(), onLogState },
      config: { backup: { shipLog, targets: [] } },
      deps: { targets: () => Promise.resolve(new Map()) },
    } as unknown as ShippingOptions;
    await startShipping(options, new AbortController().signal);
    expect(onLogState.mock.calls).toEqual([[state]]);
  });
});
