export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/** When changes may be made. */
export interface Calendar {
  /** IANA name, for example `Europe/Vienna`. */
  readonly timeZone: string;
  /** Open on these days from `from` (inclusive) to `to` (exclusive), local time `HH:MM`; `to` may be `24:00`. None: always open. */
  readonly windows: readonly CalendarWindow[];
  /** Closed all day, local dates `YYYY-MM-DD`. */
  readonly holidays: readonly string[];
}

export interface CalendarWindow {
  readonly days: readonly Weekday[];
  readonly from: string;
  readonly to: string;
}
