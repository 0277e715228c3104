import type { Problem } from './errors.ts';

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

const MINUTE_MS = 60_000;
/** Looked ahead for the next opening: a calendar that is closed for longer says so without a date. */
const AHEAD_DAYS = 30;
/** Offsets of time zones change by whole quarters of an hour, and windows are searched in steps of one at most. */
const STEP_MS_MAX = 15 * MINUTE_MS;

/** Until when the calendar is closed at a moment (epoch ms); `untilMs` is `null` when it does not open soon. */
export function closedUntil(
  calendar: Calendar,
  nowMs: number,
): { readonly reason: string; readonly untilMs: number | null } | null {
  const clock = createClock(calendar.timeZone);
  const now = clock(nowMs);
  if (isOpen(calendar, now)) return null;
  const reason = calendar.holidays.includes(now.date) ? `${now.date} is a holiday` : `closed on ${now.day} ${now.time}`;
  // The last step before the opening is searched minute by minute: windows open at any minute.
  const stepMs = searchStepMs(calendar);
  const coarse = firstOpen(calendar, clock, nowMs - (nowMs % MINUTE_MS), stepMs, (AHEAD_DAYS * 86_400_000) / stepMs);
  if (coarse === null) return { reason: `${reason} (${calendar.timeZone})`, untilMs: null };
  const fine = firstOpen(calendar, clock, coarse - stepMs, MINUTE_MS, stepMs / MINUTE_MS);
  return { reason: `${reason} (${calendar.timeZone})`, untilMs: fine ?? coarse };
}

/** No window is so short that it lies between two steps. */
function searchStepMs({ windows }: Calendar): number {
  const minuteOf = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3));
  const lengths = windows.map(({ from, to }) => (minuteOf(to) - minuteOf(from)) * MINUTE_MS);
  return Math.max(MINUTE_MS, Math.min(STEP_MS_MAX, ...lengths));
}

interface LocalTime {
  readonly date: string;
  readonly day: Weekday;
  readonly time: string;
}

function createClock(timeZone: string): (ms: number) => LocalTime {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    hourCycle: 'h23',
    weekday: 'short',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  });
  return (ms) => {
    const parts = Object.fromEntries(format.formatToParts(ms).map((p) => [p.type, p.value]));
    return {
      date: `${parts['year']}-${parts['month']}-${parts['day']}`,
      day: (parts['weekday'] ?? '').toLowerCase().slice(0, 3) as Weekday,
      time: `${parts['hour']}:${parts['minute']}`,
    };
  };
}

function isOpen({ windows, holidays }: Calendar, { date, day, time }: LocalTime): boolean {
  if (holidays.includes(date)) return false;
  if (windows.length === 0) return true;
  return windows.some((w) => w.days.includes(day) && time >= w.from && time < w.to);
}

function firstOpen(
  calendar: Calendar,
  clock: (ms: number) => LocalTime,
  fromMs: number,
  stepMs: number,
  steps: number,
): number | null {
  for (let i = 1; i <= steps; i += 1) {
    const ms = fromMs + i * stepMs;
    if (isOpen(calendar, clock(ms))) return ms;
  }
  return null;
}

const TIME = /^([01]\d|2[0-3]):[0-5]\d$|^24:00$/;
const DATE = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/;

/** `Date.parse` takes the 30th of February for the 2nd of March: a holiday that would never come. */
function isDate(text: string): boolean {
  const ms = Date.parse(text);
  return DATE.test(text) && !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(text);
}

/** Everything that is wrong with a calendar; `prefix` leads each field's path. */
export function checkCalendar(calendar: Calendar, prefix: string): readonly Problem[] {
  const problems: Problem[] = [];
  const report = (field: string, message: string, allowed: string): void => {
    problems.push({ field: `${prefix}.${field}`, message, allowed: [allowed] });
  };
  try {
    createClock(calendar.timeZone);
  } catch {
    report('timeZone', `"${calendar.timeZone}" is no time zone`, 'a name such as Europe/Vienna or UTC');
  }
  calendar.windows.forEach(({ days, from, to }, i) => {
    if (days.length === 0) report(`windows[${i}].days`, 'names no day', WEEKDAYS.join(', '));
    for (const [name, time] of Object.entries({ from, to })) {
      if (!TIME.test(time))
        report(`windows[${i}].${name}`, `"${time}" is not a time of day`, 'HH:MM, for example 09:00');
    }
    if (from >= to)
      report(`windows[${i}].to`, `${to} is not after ${from}`, 'a later time of the same day, up to 24:00');
  });
  calendar.holidays.forEach((date, i) => {
    if (!isDate(date)) {
      report(`holidays[${i}]`, `"${date}" is not a date`, 'YYYY-MM-DD, for example 2030-12-25');
    }
  });
  return problems;
}
