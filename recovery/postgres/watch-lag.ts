const LOOK_EVERY_MS = 1_000;
/** The alarm: well within a minute of the first byte that is late. */
const LAG_ALARM_SECONDS = 30;

export interface LagFacts {
  /** Seconds since the target last had all of the log. */
  readonly lagSeconds: number;
  readonly problem: string | null;
  /** Another process ships to this target: what it has done is its to say. */
  readonly standby: boolean;
}

export interface LagWatchOptions {
  readonly slot: string;
  /** The alarm is raised when the target has been late for so long. */
  readonly lagAlarmSeconds?: number;
  readonly log: {
    info(details: object, message: string): void;
    error(details: object, message: string): void;
  };
}

/** Says it once when the log is late, and once when it is not any more. */
export function watchLag(
  { log, slot, lagAlarmSeconds = LAG_ALARM_SECONDS }: LagWatchOptions,
  status: () => LagFacts,
): NodeJS.Timeout {
  let late = false;
  const timer = setInterval(() => {
    const { lagSeconds, problem, standby } = status();
    if (standby) return;
    if (lagSeconds > lagAlarmSeconds && !late) {
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
