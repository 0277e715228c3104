import { z } from 'zod';

const UNITS_MS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;
type Unit = keyof typeof UNITS_MS;

/** Also the pattern in the published JSON Schema. */
const DURATION = /^\d+(\.\d+)?(ms|s|m|h|d)$/;

/** A year: longer waits are typing mistakes. */
const DURATION_MAX_MS = 365 * UNITS_MS.d;

/** `45s`, `30m`, `2h`, `1.5h`, `1d`, `250ms` as whole milliseconds; `null` when the text is not a duration. */
export function parseDuration(text: string): number | null {
  if (!DURATION.test(text)) return null;
  const unit = (/[a-z]+$/.exec(text)?.[0] ?? 's') as Unit;
  const ms = Math.round(Number.parseFloat(text) * UNITS_MS[unit]);
  return ms > DURATION_MAX_MS ? null : ms;
}

/** The shortest text that `parseDuration` reads back as the same number of milliseconds. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  for (const unit of Object.keys(UNITS_MS) as Unit[]) {
    if (ms % UNITS_MS[unit] === 0) return `${ms / UNITS_MS[unit]}${unit}`;
  }
  return `${Math.round(ms)}ms`;
}

/** A duration as a person writes it; milliseconds once parsed. */
export const durationSchema = z
  .string('expected a duration such as 45s, 30m, 2h or 1d')
  .regex(DURATION, 'expected a duration such as 45s, 30m, 2h or 1d')
  .refine((text) => !DURATION.test(text) || parseDuration(text) !== null, 'expected at most 365d')
  .transform((text) => parseDuration(text) ?? 0);
