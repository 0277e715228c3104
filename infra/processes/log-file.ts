import { closeSync, copyFileSync, mkdirSync, openSync, readSync, statSync, truncateSync } from 'node:fs';
import { dirname } from 'node:path';

/** One log keeps at most this much, and as much again in `<name>.1`. */
const LOG_BYTES_MAX = 32 * 1024 * 1024;
const TAIL_BYTES = 4_096;

/** Opens a log for appending, so that several writers and a truncation in between are harmless. The caller closes it. */
export function openLog(file: string): number {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  limitLog(file);
  return openSync(file, 'a', 0o600);
}

/** Moves a log that has grown too long into `<file>.1`; its writers keep their open file. */
export function limitLog(file: string, bytesMax: number = LOG_BYTES_MAX): void {
  try {
    if (statSync(file).size <= bytesMax) return;
    copyFileSync(file, `${file}.1`);
    truncateSync(file);
  } catch {
    // No log yet, or a full disk: neither may stop the platform.
  }
}

export function logSize(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/** The last lines of a log for an error message, from `sinceByte` on at the earliest. */
export function logTail(file: string, lines: number, sinceByte = 0): string {
  try {
    const fd = openSync(file, 'r');
    try {
      const size = statSync(file).size;
      const from = Math.max(sinceByte > size ? 0 : sinceByte, size - TAIL_BYTES);
      const buffer = Buffer.alloc(Math.max(0, size - from));
      const read = readSync(fd, buffer, 0, buffer.length, from);
      return buffer.toString('utf8', 0, read).trimEnd().split('\n').slice(-lines).join('\n');
    } finally {
      closeSync(fd);
    }
  } catch {
    return '';
  }
}
