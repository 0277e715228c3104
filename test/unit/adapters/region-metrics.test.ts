import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WorkflowNotFoundError } from '@temporalio/client';
import { Registry } from 'prom-client';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createRegionMetrics } from '../../../adapters/region-metrics.ts';
import { readRegionStatus, writeRegionStatus, type RegionStatus } from '../../../adapters/region-status.ts';
import { serveRegionMetrics } from '../../../workers/region-metrics.ts';
import { watchFailover } from '../../../workers/watch-failover.ts';

const AT_MS = Date.parse('2026-03-01T12:00:00.000Z');
const ACTIVE: RegionStatus = {
  atMs: AT_MS,
  region: 'west',
  role: 'active',
  lease: 'held',
  owner: 'west',
  epoch: 4,
  leaseEndsMs: AT_MS + 12_000,
  ownerQuietSeconds: 0.5,
  standby: null,
  failover: { finishedAtMs: AT_MS - 60_000, tookMs: 8_500, completed: true },
  problem: null,
};
const following = { phase: 'following', setId: 's', replayedLsn: '0/1', fetchedLsn: '0/1', artefactsMissing: 0 };

/** The series of a region's status, seen some seconds after it was written. */
async function series(status: RegionStatus | null, afterSeconds = 0): Promise<Record<string, number>> {
  const registry = new Registry();
  createRegionMetrics(
    registry,
    () => status,
    () => AT_MS + afterSeconds * 1000,
  );
  const found = [...(await registry.metrics()).matchAll(/^(\w+)\{region="west"\} (\S+)$/gm)];
  return Object.fromEntries(found.map(([, name = '', value]) => [name, Number(value)] as const));
}

describe('the metrics of a region', () => {
  it('tell of one that holds the lease, and of the failover that brought it there', async () => {
    expect(await series(ACTIVE)).toEqual({
      region_owned_epoch: 4,
      region_lease_held: 1,
      region_lease_seconds: 12,
      region_owner_quiet_seconds: 0.5,
      region_failover_ok: 1,
      region_failover_duration_seconds: 8.5,
      region_failover_age_seconds: 60,
      region_status_age_seconds: 0,
    });
  });

  it('let the lease run out when nobody writes the status any more', async () => {
    expect(await series(ACTIVE, 11)).toMatchObject({ region_lease_held: 1, region_lease_seconds: 1 });
    expect(await series(ACTIVE, 13)).toMatchObject({
      region_lease_held: 0,
      region_lease_seconds: 0,
      region_status_age_seconds: 13,
    });
  });

  it('tell of a fenced region and of a standby what they have', async () => {
    const none = { leaseEndsMs: null, owner: 'east', failover: null };
    const fenced = await series({ ...ACTIVE, ...none, lease: 'fenced' });
    expect(fenced).toMatchObject({ region_owned_epoch: 0, region_lease_held: 0, region_lease_seconds: 0 });
    expect(fenced).not.toHaveProperty('region_standby_lag_seconds');
    expect(fenced).not.toHaveProperty('region_failover_ok');
    const standby = { ...following, lagSeconds: 2 };
    const status: RegionStatus = { ...ACTIVE, ...none, role: 'standby', lease: 'standby', standby };
    expect(await series(status, 5)).toMatchObject({ region_owned_epoch: 0, region_standby_lag_seconds: 7 });
    const behind = await series({ ...status, standby: { ...standby, lagSeconds: null } });
    expect(behind).not.toHaveProperty('region_standby_lag_seconds');
    expect(await series(null)).toEqual({});
  });

  it('are served on a port of their own, from what the process wrote down', async () => {
    const home = mkdtempSync(join(tmpdir(), 'region-metrics-'));
    onTestFinished(() => rmSync(home, { recursive: true, force: true }));
    await writeRegionStatus(home, ACTIVE);
    const log = { info: vi.fn(), error: vi.fn() };
    const stop = await serveRegionMetrics(0, () => readRegionStatus(home), log);
    onTestFinished(stop);
    const { port } = log.info.mock.lastCall?.[0].address as { port: number };
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain/);
    expect(await answer.text()).toContain('region_owned_epoch{region="west"} 4');
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(404);
    // A busy port must not keep a region from failing over.
    const second = await serveRegionMetrics(port, () => null, log);
    expect(log.error).toHaveBeenCalledOnce();
    await second();
  });
});

describe('the newest failover', () => {
  it('is what Temporal keeps of it: none, running, ended well or not', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const [startTime, closeTime] = [new Date(AT_MS), new Date(AT_MS + 9_000)];
    const call = vi
      .fn()
      .mockRejectedValueOnce(new WorkflowNotFoundError('none', 'failover/region', undefined))
      .mockResolvedValueOnce({ status: { name: 'RUNNING' }, startTime })
      .mockResolvedValueOnce({ status: { name: 'FAILED' }, startTime, closeTime })
      .mockRejectedValueOnce(new Error('Temporal is away'))
      .mockResolvedValueOnce({ status: { name: 'COMPLETED' }, startTime, closeTime });
    const stop = new AbortController();
    const newest = watchFailover({ call }, stop.signal);
    const seen = [];
    for (let i = 0; i < 5; i++) {
      await vi.advanceTimersByTimeAsync(i === 0 ? 0 : 10_000);
      seen.push(newest()?.completed ?? null);
    }
    expect(seen).toEqual([null, null, false, false, true]);
    expect(newest()).toEqual({ finishedAtMs: AT_MS + 9_000, tookMs: 9_000, completed: true });
    stop.abort();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(call).toHaveBeenCalledTimes(5);
  });
});
