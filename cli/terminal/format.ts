/** How numbers and times read in a terminal. */

/** `1.4 s`, `2 m 05 s`, `3 h 10 m`, `2 d 4 h`. Never more than two parts. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${two(whole % 60)} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} m`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

/** `12.5 %`, `50 %`. */
export function formatPercent(percent: number): string {
  return `${Number(percent.toFixed(2))} %`;
}

/** Three significant digits below 1, thousands separated above; enough to compare, not to compute with. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value)) return value.toString().replaceAll(/\B(?=(\d{3})+(?!\d))/g, ',');
  if (Math.abs(value) >= 1000) return formatNumber(Math.round(value));
  if (Math.abs(value) >= 1) return value.toFixed(2);
  return Number(value.toPrecision(4)).toString();
}

/** A metric of 0..1, or a log loss: four decimals. */
export function formatMetric(value: number): string {
  return value.toFixed(4);
}

/** `2025-03-01 14:05:09` in the local time of this terminal. */
export function formatTime(time: string | number | Date): string {
  const t = new Date(time);
  if (Number.isNaN(t.getTime())) return String(time);
  const day = `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())}`;
  return `${day} ${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`;
}

const two = (n: number): string => String(n).padStart(2, '0');
