import { describe, expect, it } from 'vitest';
import { createMetrics } from '../../../adapters/metrics.ts';
import type { RecoveryStatus } from '../../../adapters/recovery-status.ts';

const NOW_MS = Date.parse('2030-01-31T00:00:00Z');
const target = { name: 'far', newestVerifiedMs: NOW_MS, walLagSeconds: null, problem: null };
const verified = { fromMs: NOW_MS - 3_000_000, toMs: NOW_MS - 60_000 };
const drill = { finishedAtMs: NOW_MS, passed: true, restoreMs: 1_500, lossMs: 800, setId: 'set' };

/** Lines of /metrics that begin so. */
async function scraped(status: Partial<RecoveryStatus>, name: string): Promise<readonly string[]> {
  const metrics = createMetrics();
  metrics.watchRecovery(() => ({ atMs: NOW_MS, targets: [], log: null, drill: null, ...status }));
  return (await metrics.text()).split('\n').filter((line) => line.startsWith(name));
}

describe('the metrics of recovery', () => {
  it('name each target, also one without a set', async () => {
    const targets = [{ ...target, newestVerifiedMs: null, verified: null }];
    expect(await scraped({ targets }, 'backup_target_info')).toEqual(['backup_target_info{target="far"} 1']);
    expect(await scraped({ targets }, 'backup_newest_verified')).toEqual([]);
    expect(await scraped({ targets }, 'backup_restorable')).toEqual([]);
  });

  it('say which moments come back: to the newest set, or to what the log has reached', async () => {
    const from = `backup_restorable_from_timestamp_seconds{target="far"} ${(NOW_MS - 3_000_000) / 1000}`;
    const to = (beforeMs: number) =>
      `backup_restorable_to_timestamp_seconds{target="far"} ${(NOW_MS - beforeMs) / 1000}`;
    expect(await scraped({ targets: [{ ...target, verified }] }, 'backup_restorable')).toEqual([from, to(60_000)]);
    const shipped = [{ ...target, verified, walLagSeconds: 2 }];
    expect(await scraped({ targets: shipped }, 'backup_restorable')).toEqual([from, to(2_000)]);
    // The log stopped long ago, and sets went on.
    const stuck = [{ ...target, verified, walLagSeconds: 7_200 }];
    expect(await scraped({ targets: stuck }, 'backup_restorable')).toEqual([from, to(60_000)]);
  });

  it('tell how long the newest drill took and what would have been lost, as far as it came', async () => {
    const passed = [
      'recovery_drill_restore_seconds{drill="newest"} 1.5',
      'recovery_drill_loss_seconds{drill="newest"} 0.8',
    ];
    expect([
      ...(await scraped({ drill }, 'recovery_drill_restore')),
      ...(await scraped({ drill }, 'recovery_drill_loss')),
    ]).toEqual(passed);
    const failed = { ...drill, passed: false, restoreMs: null, lossMs: null };
    expect(await scraped({ drill: failed }, 'recovery_drill_restore')).toEqual([]);
    expect(await scraped({ drill: failed }, 'recovery_drill_ok')).toEqual(['recovery_drill_ok{drill="newest"} 0']);
  });
});
