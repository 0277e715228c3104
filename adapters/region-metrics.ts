import type { Registry } from 'prom-client';
import type { RegionStatus } from './region-status.ts';
import { createLabelledGauge } from './scraped-metrics.ts';

interface Series {
  readonly name: string;
  readonly help: string;
  /** `null`: there is nothing to tell, and no series. */
  readonly value: (status: RegionStatus, nowMs: number) => number | null;
}

const secondsSince = (atMs: number, nowMs: number): number => Math.max(0, (nowMs - atMs) / 1000);

/** A process that died renews nothing: what it wrote last runs out by itself. */
const leaseSeconds = ({ lease, leaseEndsMs }: RegionStatus, nowMs: number): number =>
  lease === 'held' && leaseEndsMs !== null ? Math.max(0, (leaseEndsMs - nowMs) / 1000) : 0;

const SERIES: readonly Series[] = [
  {
    name: 'region_owned_epoch',
    help: 'Epoch that this region owns; 0 while another region owns the newest',
    value: ({ owner, region, epoch }) => (owner === region ? epoch : 0),
  },
  {
    name: 'region_lease_held',
    help: '1 while the lease of this region runs: control writes are taken here',
    value: (status, nowMs) => (leaseSeconds(status, nowMs) > 0 ? 1 : 0),
  },
  {
    name: 'region_lease_seconds',
    help: 'Seconds until the lease runs out unless it is renewed',
    value: leaseSeconds,
  },
  {
    name: 'region_owner_quiet_seconds',
    help: 'For how long the owner of the newest epoch has said nothing, as this region sees it',
    value: ({ ownerQuietSeconds, atMs }, nowMs) =>
      ownerQuietSeconds === null ? null : ownerQuietSeconds + secondsSince(atMs, nowMs),
  },
  {
    name: 'region_standby_lag_seconds',
    help: 'How far the replayed log of this standby is behind the target',
    value: ({ standby, atMs }, nowMs) =>
      standby?.lagSeconds == null ? null : standby.lagSeconds + secondsSince(atMs, nowMs),
  },
  {
    name: 'region_failover_ok',
    help: '1 when the newest failover to this region completed',
    value: ({ failover }) => (failover === null ? null : Number(failover.completed)),
  },
  {
    name: 'region_failover_duration_seconds',
    help: 'How long the newest failover to this region took',
    value: ({ failover }) => (failover === null ? null : failover.tookMs / 1000),
  },
  {
    name: 'region_failover_age_seconds',
    help: 'Time since the newest failover to this region ended',
    value: ({ failover }, nowMs) => (failover === null ? null : secondsSince(failover.finishedAtMs, nowMs)),
  },
  {
    name: 'region_status_age_seconds',
    help: 'Age of what is known of this region: it grows when the process of the region is gone',
    value: ({ atMs }, nowMs) => secondsSince(atMs, nowMs),
  },
];

/** Where a region stands, as its process wrote it down last. Without a region there are no series. */
export function createRegionMetrics(
  registry: Registry,
  read: () => RegionStatus | null,
  nowMs: () => number = Date.now,
): void {
  for (const { name, help, value } of SERIES)
    createLabelledGauge(registry, { name, help, labelName: 'region' }, () => {
      const status = read();
      return status === null ? [] : [{ label: status.region, value: value(status, nowMs()) }];
    });
}
