import type { Registry } from 'prom-client';
import { walLagSeconds, type RecoveryStatus } from './recovery-status.ts';
import { createLabelledGauge, type LabelledGauge, type LabelledValue } from './scraped-metrics.ts';

type Target = RecoveryStatus['targets'][number];
type Drill = NonNullable<RecoveryStatus['drill']>;

interface Series<T extends readonly unknown[]> {
  readonly name: string;
  readonly help: string;
  /** `null`: there is nothing to tell, and no series. */
  readonly value: (...of: T) => number | null;
}

const age = (atMs: number): number => Math.max(0, (Date.now() - atMs) / 1000);
const seconds = (ms: number | null): number | null => (ms === null ? null : ms / 1000);

const OF_TARGETS: readonly Series<[Target, RecoveryStatus]>[] = [
  {
    name: 'backup_target_info',
    help: 'A target that backup sets are written to; always 1',
    value: () => 1,
  },
  {
    name: 'backup_newest_verified_set_age_seconds',
    help: 'Age of the newest backup set that was read back without a fault, by target',
    value: ({ newestVerifiedMs }) => (newestVerifiedMs === null ? null : age(newestVerifiedMs)),
  },
  {
    name: 'backup_restorable_from_timestamp_seconds',
    help: 'Unix time of the oldest state that verified sets bring back, by target',
    value: ({ verified }) => seconds(verified?.fromMs ?? null),
  },
  {
    name: 'backup_restorable_to_timestamp_seconds',
    help: 'Unix time of the newest state that comes back: of the newest verified set or the log after it, by target',
    value: ({ verified, walLagSeconds: lag }, { atMs }) =>
      verified === null ? null : seconds(Math.max(verified.toMs, lag === null ? 0 : atMs - lag * 1000)),
  },
  {
    name: 'wal_lag_seconds',
    help: 'How long a target has lacked the newest write-ahead log, by target',
    value: ({ walLagSeconds: lag }, status) => walLagSeconds(status, lag, Date.now()),
  },
];

const OF_DRILL: readonly Series<[Drill]>[] = [
  {
    name: 'recovery_drill_age_seconds',
    help: 'Age of the newest recovery drill',
    value: ({ finishedAtMs }) => age(finishedAtMs),
  },
  {
    name: 'recovery_drill_ok',
    help: '1 when the newest recovery drill passed',
    value: ({ passed }) => (passed ? 1 : 0),
  },
  {
    name: 'recovery_drill_restore_seconds',
    help: 'How long the newest recovery drill took until all was checked',
    value: ({ restoreMs }) => seconds(restoreMs),
  },
  {
    name: 'recovery_drill_loss_seconds',
    help: 'What a loss at the newest recovery drill would have cost',
    value: ({ lossMs }) => seconds(lossMs),
  },
];

/** Ages of what would bring the platform back. A series is missing as long as there is nothing to tell. */
export function createRecoveryMetrics(registry: Registry, read: () => RecoveryStatus | null): void {
  const gauge = (of: LabelledGauge, values: (status: RecoveryStatus) => readonly LabelledValue[]): void =>
    createLabelledGauge(registry, of, () => {
      const status = read();
      return status === null ? [] : values(status);
    });
  for (const { name, help, value } of OF_TARGETS)
    gauge({ name, help, labelName: 'target' }, (status) =>
      status.targets.map((target) => ({ label: target.name, value: value(target, status) })),
    );
  // A label with one value: without one, prom-client would show 0 where nothing is known.
  for (const { name, help, value } of OF_DRILL)
    gauge({ name, help, labelName: 'drill' }, ({ drill }) =>
      drill === null ? [] : [{ label: 'newest', value: value(drill) }],
    );
  const help = '1 when the write-ahead log goes to the targets between backup sets; else 0, and state says why';
  gauge({ name: 'backup_log_shipped', help, labelName: 'state' }, ({ log }) =>
    log === null ? [] : [{ label: log, value: log === 'shipped' ? 1 : 0 }],
  );
}
