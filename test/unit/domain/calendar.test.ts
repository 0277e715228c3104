import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkCalendar, closedUntil, type Calendar } from '../../../domain/calendar.ts';

const WORKDAYS: Calendar = {
  timeZone: 'Europe/Vienna',
  windows: [{ days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '09:00', to: '16:30' }],
  holidays: ['2026-12-25'],
};
const at = (iso: string): number => Date.parse(iso);
/** When it opens again, as an ISO time; `open` when it is. */
function opens(calendar: Calendar, iso: string): string | null {
  const closed = closedUntil(calendar, at(iso));
  if (closed === null) return 'open';
  return closed.untilMs === null ? null : new Date(closed.untilMs).toISOString();
}

describe('a calendar', () => {
  it('is open from the first minute of a window to the one before its last', () => {
    // Vienna is an hour ahead of UTC in winter.
    expect(opens(WORKDAYS, '2026-12-07T07:59:59Z')).toBe('2026-12-07T08:00:00.000Z');
    expect(opens(WORKDAYS, '2026-12-07T08:00:00Z')).toBe('open');
    expect(opens(WORKDAYS, '2026-12-07T15:29:59Z')).toBe('open');
    expect(opens(WORKDAYS, '2026-12-07T15:30:00Z')).toBe('2026-12-08T08:00:00.000Z');
  });

  it('goes over weekends and holidays, and says which it is', () => {
    expect(opens(WORKDAYS, '2026-12-24T16:00:00Z')).toBe('2026-12-28T08:00:00.000Z');
    expect(closedUntil(WORKDAYS, at('2026-12-25T10:00:00Z'))?.reason).toBe('2026-12-25 is a holiday (Europe/Vienna)');
    expect(closedUntil(WORKDAYS, at('2026-12-26T10:00:00Z'))?.reason).toBe('closed on sat 11:00 (Europe/Vienna)');
  });

  it('takes holidays by the local date, not by that of UTC', () => {
    const calendar: Calendar = { timeZone: 'Asia/Tokyo', windows: [], holidays: ['2026-01-01'] };
    expect(opens(calendar, '2025-12-31T14:59:00Z')).toBe('open');
    expect(opens(calendar, '2025-12-31T15:00:00Z')).toBe('2026-01-01T15:00:00.000Z');
    expect(opens(calendar, '2026-01-01T15:00:00Z')).toBe('open');
  });

  it('keeps local time over the change of the clocks, both ways, and in zones with odd offsets', () => {
    const sundays: Calendar = { ...WORKDAYS, windows: [{ days: ['sun'], from: '03:00', to: '24:00' }] };
    // 2026-03-29: 02:00 local becomes 03:00, which is 01:00 UTC; 2026-10-25: 03:00 local comes an hour later, 02:00 UTC.
    expect(opens(sundays, '2026-03-28T12:00:00Z')).toBe('2026-03-29T01:00:00.000Z');
    expect(opens(sundays, '2026-10-24T12:00:00Z')).toBe('2026-10-25T02:00:00.000Z');
    const nepal: Calendar = {
      timeZone: 'Asia/Kathmandu',
      windows: [{ days: ['mon'], from: '09:07', to: '10:00' }],
      holidays: [],
    };
    expect(opens(nepal, '2026-12-06T12:00:00Z')).toBe('2026-12-07T03:22:00.000Z');
  });

  it('is open always without windows, up to midnight with 24:00, and says so when it does not open soon', () => {
    const always: Calendar = { timeZone: 'UTC', windows: [], holidays: [] };
    expect(opens(always, '2026-12-25T23:59:59Z')).toBe('open');
    const late: Calendar = { ...always, windows: [{ days: ['fri'], from: '22:00', to: '24:00' }] };
    expect(opens(late, '2026-12-25T23:59:59Z')).toBe('open');
    expect(opens(late, '2026-12-26T00:00:00Z')).toBe('2027-01-01T22:00:00.000Z');
    const brief: Calendar = { ...always, windows: [{ days: ['fri'], from: '09:01', to: '09:04' }] };
    expect(opens(brief, '2026-12-25T00:00:00Z')).toBe('2026-12-25T09:01:00.000Z');
    const months = Array.from({ length: 40 }, (_, i) => new Date(at('2026-12-01') + i * 86_400_000));
    const shut: Calendar = { ...always, holidays: months.map((d) => d.toISOString().slice(0, 10)) };
    expect(opens(shut, '2026-12-01T00:00:00Z')).toBeNull();
  });

  it('opens at the very first minute it can: not open a minute before, open then', () => {
    const hour = fc.integer({ min: 0, max: 22 });
    const minute = fc.integer({ min: 0, max: 59 });
    const two = (n: number): string => String(n).padStart(2, '0');
    fc.assert(
      fc.property(hour, minute, fc.integer({ min: 0, max: 14 * 24 * 60 }), (h, m, offset) => {
        const from = `${two(h)}:${two(m)}`;
        const calendar: Calendar = { ...WORKDAYS, windows: [{ days: ['tue', 'sat'], from, to: '23:00' }] };
        const nowMs = at('2026-03-20T00:00:00Z') + offset * 60_000;
        const closed = closedUntil(calendar, nowMs);
        if (closed === null) return;
        expect(closed.untilMs).toBeGreaterThan(nowMs);
        expect(closedUntil(calendar, closed.untilMs!)).toBeNull();
        expect(closedUntil(calendar, closed.untilMs! - 60_000)).not.toBeNull();
      }),
      { numRuns: 40 },
    );
  });
});

describe('the check of a calendar', () => {
  it('finds nothing in one that is right', () => {
    expect(checkCalendar(WORKDAYS, 'plan.calendar')).toEqual([]);
    const late = { ...WORKDAYS, windows: [{ days: ['sun' as const], from: '00:00', to: '24:00' }] };
    expect(checkCalendar(late, 'plan.calendar')).toEqual([]);
  });

  it('names everything that is wrong, with what is allowed', () => {
    const problems = checkCalendar(
      {
        timeZone: 'Mars/Olympus',
        windows: [
          { days: [], from: '9:00', to: '25:00' },
          { days: ['mon'], from: '17:00', to: '09:00' },
        ],
        holidays: ['2026-12-25', '2026-02-30', '25.12.2026'],
      },
      'plan.calendar',
    );
    expect(problems.map((p) => p.field)).toEqual([
      'plan.calendar.timeZone',
      'plan.calendar.windows[0].days',
      'plan.calendar.windows[0].from',
      'plan.calendar.windows[0].to',
      'plan.calendar.windows[0].to',
      'plan.calendar.windows[1].to',
      'plan.calendar.holidays[1]',
      'plan.calendar.holidays[2]',
    ]);
    for (const problem of problems) expect(problem.allowed?.length).toBeGreaterThan(0);
  });
});
