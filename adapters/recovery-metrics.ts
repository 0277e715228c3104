import { Gauge, type Registry } from 'prom-client';
import { walLagSeconds, type RecoveryStatus } from './recovery-status.ts';

/** Ages of what would bring the platform back. A series is missing as long as there is nothing to tell the age of. */
export function createRecoveryMetrics(registry: Registry, read: () => RecoveryStatus | null): void {
  const registers = [registry];
  const age = (atMs: number): number => Math.max(0, (Date.now() - atMs) / 1000);
  new Gauge({
    name: 'backup_newest_verified_set_age_seconds',
    help: 'Age of the newest backup set that was read back without a fault, by target',
    labelNames: ['target'],
    registers,
    collect() {
      this.reset();
      for (const { name, newestVerifiedMs } of read()?.targets ?? [])
        if (newestVerifiedMs !== null) this.set({ target: name }, age(newestVerifiedMs));
    },
  });
  new Gauge({
    name: 'backup_target_info',
    help: 'A target that backup sets are written to; always 1',
    labelNames: ['target'],
    registers,
    collect() {
      this.reset();
      for (const { name } of read()?.targets ?? []) this.set({ target: name }, 1);
    },
  });
  new Gauge({
    name: 'wal_lag_seconds',
    help: 'How long a target has lacked the newest write-ahead log, by target',
    labelNames: ['target'],
    registers,
    collect() {
      this.reset();
      const status = read();
      for (const { name, walLagSeconds: lag } of status?.targets ?? []) {
        const seconds = status === null ? null : walLagSeconds(status, lag, Date.now());
        if (seconds !== null) this.set({ target: name }, seconds);
      }
    },
  });
  new Gauge({
    name: 'backup_log_shipped',
    help: '1 when the write-ahead log goes to the targets between backup sets; else 0, and state says why',
    labelNames: ['state'],
    registers,
    collect() {
      this.reset();
      const log = read()?.log ?? null;
      if (log !== null) this.set({ state: log }, log === 'shipped' ? 1 : 0);
    },
  });
  const ofDrill = (
    name: string,
    help: string,
    value: (drill: NonNullable<RecoveryStatus['drill']>) => number,
  ): void => {
    // A label with one value: without one, prom-client would show 0 where nothing is known.
    new Gauge({
      name,
      help,
      labelNames: ['drill'],
      registers,
      collect() {
        this.reset();
        const drill = read()?.drill ?? null;
        if (drill !== null) this.set({ drill: 'newest' }, value(drill));
      },
    });
  };
  ofDrill('recovery_drill_age_seconds', 'Age of the newest recovery drill', (drill) => age(drill.finishedAtMs));
  ofDrill('recovery_drill_ok', '1 when the newest recovery drill passed', (drill) => (drill.passed ? 1 : 0));
}
