import type { WalShipperOptions, WalStatus } from './ship-wal.ts';

const LOOK_EVERY_MS = 1_000;
/** The alarm: well within a minute of the first byte that is late. */
const LAG_ALARM_SECONDS = 30;

/** Says it once when the log is late, and once when it is not any more. */
export function watchLag(
  { log, slot, lagAlarmSeconds }: Pick<WalShipperOptions, 'log' | 'slot' | 'lagAlarmSeconds'>,
  status: () => WalStatus,
): NodeJS.Timeout {
  let late = false;
  const timer = setInterval(() => {
    const { lagSeconds, problem, standby } = status();
    if (standby) return;
    if (lagSeconds > (lagAlarmSeconds ?? LAG_ALARM_SECONDS) && !late) {
      late = true;
      log.error({ slot, lagSeconds, problem }, 'the write-ahead log does not reach its target: rows could be lost');
    } else if (lagSeconds < 1 && late) {
      late = false;
      log.info({ slot }, 'the write-ahead log reaches its target again');
    }
  }, LOOK_EVERY_MS);
  timer.unref();
  return timer;
}
